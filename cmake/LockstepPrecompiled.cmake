# Headers from outside that most files of a layer read, parsed once and not in every file: half of a
# build's time. What has its own flags or defines what a header asks for has headers of its own.
# Every file includes what it needs all the same: -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON builds
# without them, and clang-tidy reads without them.

set(lockstep_standard_headers
    <algorithm> <array> <atomic> <bit> <charconv> <chrono> <cmath> <cstddef> <cstdint> <cstdio>
    <cstring> <filesystem> <functional> <limits> <map> <memory> <mutex> <numeric> <optional> <span>
    <string> <string_view> <thread> <tl/expected.hpp> <unordered_map> <utility> <variant> <vector>)
set(lockstep_widget_headers
    <QAbstractTableModel> <QAction> <QApplication> <QComboBox> <QEvent> <QFileInfo> <QHBoxLayout>
    <QKeyEvent> <QLabel> <QLocale> <QMenu> <QObject> <QPainter> <QPushButton> <QScrollBar>
    <QStackedWidget> <QString> <QStringList> <QTableView> <QThread> <QTimer> <QToolButton>
    <QVBoxLayout> <QVector> <QWidget>)

# lockstep_precompiled(LAYER TYPE lib...): what lockstep_precompile(TARGET LAYER) shares; TYPE is of
# the targets' kind, STATIC or EXECUTABLE, as that decides about flags.
function(lockstep_precompiled layer type)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LIBS;DEFINITIONS;HEADERS")
    set(name lockstep_precompiled_${layer})
    set(source ${CMAKE_BINARY_DIR}/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "int main() {}\n")
    if(type STREQUAL EXECUTABLE)
        add_executable(${name} EXCLUDE_FROM_ALL ${source})
    else()
        add_library(${name} ${type} EXCLUDE_FROM_ALL ${source})
    endif()
    target_link_libraries(${name} PRIVATE lockstep_options tl::expected ${arg_LIBS})
    target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
    target_precompile_headers(${name} PRIVATE ${lockstep_standard_headers} ${arg_HEADERS})
endfunction()

function(lockstep_precompile name layer)
    target_precompile_headers(${name} REUSE_FROM lockstep_precompiled_${layer})
endfunction()

lockstep_precompiled(kernels STATIC LIBS OpenMP::OpenMP_CXX)
lockstep_precompiled(core STATIC LIBS nlohmann_json::nlohmann_json HEADERS <nlohmann/json.hpp>)
lockstep_precompiled(ui STATIC
    LIBS Qt6::Widgets DEFINITIONS QT_NO_KEYWORDS HEADERS ${lockstep_widget_headers})
lockstep_precompiled(app EXECUTABLE
    LIBS Qt6::Core nlohmann_json::nlohmann_json HEADERS <nlohmann/json.hpp>)
# Qt6::Test defines where each test lies, for QFINDTESTDATA, which nothing here uses. Without that all
# tests have the same definitions, and Qt Test's header can be parsed once.
get_target_property(test_definitions Qt6::Test INTERFACE_COMPILE_DEFINITIONS)
list(FILTER test_definitions EXCLUDE REGEX QT_TESTCASE_)
set_target_properties(Qt6::Test PROPERTIES INTERFACE_COMPILE_DEFINITIONS "${test_definitions}")
lockstep_precompiled(tests EXECUTABLE
    LIBS Qt6::Test nlohmann_json::nlohmann_json DEFINITIONS QT_NO_KEYWORDS
    HEADERS <QByteArray> <QElapsedTimer> <QFile> <QJsonDocument> <QObject> <QString>
        <QTemporaryDir> <QTest> <nlohmann/json.hpp>)
lockstep_precompiled(window_tests EXECUTABLE
    LIBS Qt6::Widgets Qt6::Test nlohmann_json::nlohmann_json DEFINITIONS QT_NO_KEYWORDS
    HEADERS ${lockstep_widget_headers} <QTest> <nlohmann/json.hpp>)
