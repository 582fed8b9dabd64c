# Configures and builds TARGETS of SOURCE with SANITIZERS in BUILD; run by CTest.
set(launcher)
if(LAUNCHER)
    set(launcher -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
endif()
execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} -G Ninja ${launcher}
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1\ -g1
        -DLOCKSTEP_SANITIZE=${SANITIZERS} -DLOCKSTEP_CUDA=OFF
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --target ${TARGETS}
    COMMAND_ERROR_IS_FATAL ANY)
