# Installs BUILD into STAGE and looks at what came; run by CTest.
file(REMOVE_RECURSE ${STAGE})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${STAGE}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

set(id org.lockstep.Lockstep)
foreach(file
        bin/lockstep
        share/applications/${id}.desktop
        share/icons/hicolor/scalable/apps/${id}.svg
        share/lockstep/fetch_model
        share/lockstep/models.json
        share/metainfo/${id}.metainfo.xml)
    if(NOT EXISTS ${STAGE}/${file})
        message(FATAL_ERROR "${file} was not installed")
    endif()
endforeach()

# The installed program reads the installed catalogue, not the source tree's: one that is changed
# shows.
set(catalogue ${STAGE}/share/lockstep/models.json)
file(READ ${catalogue} models)
string(REPLACE "smollm2-135m-instruct" "an-installed-model" models "${models}")
file(WRITE ${catalogue} "${models}")
set(ENV{LOCKSTEP_MODELS} ${STAGE}/no-models)
execute_process(COMMAND ${STAGE}/bin/lockstep models
    OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
if(NOT known MATCHES "an-installed-model")
    message(FATAL_ERROR "the installed program does not read ${catalogue}; it knows:\n${known}")
endif()

# What it fetches models with is installed and runs.
execute_process(COMMAND ${STAGE}/share/lockstep/fetch_model --help
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
