# What every target of ours has in common: warnings as errors, sanitizers, include root.

add_library(lockstep_options INTERFACE)
target_compile_options(lockstep_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                              -Woverloaded-virtual -Werror>
    # GCC 12 warns of what cannot be: an overlap in "literal" + std::string (its bug 105651), and of
    # std::string's own copies where the standard headers come precompiled.
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:
        -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread>
    # In a unity build every file is a header to GCC: a class of one file's may well have members
    # of types that only that file knows.
    $<$<AND:$<BOOL:${CMAKE_UNITY_BUILD}>,$<CXX_COMPILER_ID:GNU>,$<COMPILE_LANGUAGE:CXX>>:
        -Wno-subobject-linkage>)
target_include_directories(lockstep_options INTERFACE ${PROJECT_SOURCE_DIR})
if(LOCKSTEP_SANITIZE)
    target_compile_options(lockstep_options INTERFACE
        -fsanitize=${LOCKSTEP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(lockstep_options INTERFACE -fsanitize=${LOCKSTEP_SANITIZE})
endif()

# lockstep_library(NAME [LAYER layer] [PUBLIC lib...] [PRIVATE lib...] SOURCES file...)
# LAYER: whose precompiled headers (LockstepPrecompiled.cmake); core's where none is named.
function(lockstep_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "LAYER" "PUBLIC;PRIVATE;SOURCES")
    if(NOT arg_LAYER)
        set(arg_LAYER core)
    endif()
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC lockstep_options ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    lockstep_precompile(${name} ${arg_LAYER})
endfunction()

# lockstep_moc_includes(TARGET file...): FILE.moc for each file that includes it. A test's classes
# are in its own files: AUTOMOC's targets and empty sources, one of each per test, took a tenth of
# the whole build.
function(lockstep_moc_includes name)
    foreach(file IN LISTS ARGN)
        get_filename_component(stem ${file} NAME_WE)
        get_filename_component(path ${file} ABSOLUTE)
        file(STRINGS ${path} included REGEX "^#include \"${stem}\\.moc\"")
        if(included)
            set(generated ${CMAKE_CURRENT_BINARY_DIR}/${name}_moc/${stem}.moc)
            file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}_moc)
            qt6_generate_moc(${path} ${generated} TARGET ${name})
            target_sources(${name} PRIVATE ${generated})
            target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${name}_moc)
        endif()
    endforeach()
endfunction()

# lockstep_test(NAME [LABELS label...] [TIMEOUT s] [LIBS lib...] SOURCES file...)
# One Qt Test program; its working directory is the source tree's tests/.
function(lockstep_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS;LIBS;SOURCES")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    add_executable(${name} ${arg_SOURCES})
    lockstep_moc_includes(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE lockstep_options Qt6::Test ${arg_LIBS})
    # A test waits for what it tests: a quarter less to compile.
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    target_compile_definitions(${name} PRIVATE
        LOCKSTEP_SOURCE_DIR="${PROJECT_SOURCE_DIR}" QT_NO_KEYWORDS)
    if("${arg_LIBS}" MATCHES "lockstep_(chat|inspector|theme|ui)|chat_samples")
        lockstep_precompile(${name} window_tests)
    else()
        lockstep_precompile(${name} tests)
    endif()
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
        ENVIRONMENT "QT_QPA_PLATFORM=offscreen")
    # Without a GPU a GPU test is reported as skipped, not as passed.
    if("gpu" IN_LIST arg_LABELS)
        set_tests_properties(${name} PROPERTIES
            SKIP_REGULAR_EXPRESSION "SKIP   : .*(no usable NVIDIA GPU|built without CUDA)")
    endif()
endfunction()

# lockstep_user_kernel(NAME SOURCE file [DEFINITIONS def...])
# A shared object as a user would build one, for a GPU where the file is a .cu: nothing of ours but
# lockstep_kernel.h, no sanitizer.
function(lockstep_user_kernel name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE" "DEFINITIONS")
    add_library(${name} MODULE ${arg_SOURCE})
    set_target_properties(${name} PROPERTIES PREFIX "" CXX_STANDARD 17 CUDA_STANDARD 17
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/kernels/user)
    target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
    target_compile_options(${name} PRIVATE
        $<$<COMPILE_LANGUAGE:CXX>:-O2 -Wall -Wextra -Werror>
        $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall -Werror=all-warnings>)
endfunction()
