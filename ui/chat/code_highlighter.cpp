// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/code_highlighter.h"

#include <srchilite/formattermanager.h>
#include <srchilite/formatterparams.h>
#include <srchilite/langdefmanager.h>
#include <srchilite/langmap.h>
#include <srchilite/regexrulefactory.h>
#include <srchilite/settings.h>
#include <srchilite/sourcehighlighter.h>

#include <QHash>
#include <QMutex>
#include <exception>

#include "ui/theme/colors.h"

namespace lockstep {
namespace {

// Above these the code stays plain: it could not be read in a time that anyone waits.
constexpr qsizetype longest_code = 200'000;
constexpr qsizetype longest_line = 1'000;

// source-highlight's names of what it finds (its default.style), as far as we colour them.
const QHash<QString, CodeToken>& tokenNames() {
    static const QHash<QString, CodeToken> names{{"keyword", CodeToken::keyword},
                                                 {"type", CodeToken::type},
                                                 {"usertype", CodeToken::type},
                                                 {"classname", CodeToken::type},
                                                 {"string", CodeToken::string},
                                                 {"regexp", CodeToken::string},
                                                 {"specialchar", CodeToken::string},
                                                 {"url", CodeToken::string},
                                                 {"path", CodeToken::string},
                                                 {"value", CodeToken::string},
                                                 {"number", CodeToken::number},
                                                 {"math", CodeToken::number},
                                                 {"comment", CodeToken::comment},
                                                 {"todo", CodeToken::comment},
                                                 {"preproc", CodeToken::preprocessor},
                                                 {"label", CodeToken::preprocessor},
                                                 {"function", CodeToken::function},
                                                 {"predef_func", CodeToken::function},
                                                 {"variable", CodeToken::name},
                                                 {"predef_var", CodeToken::name},
                                                 {"property", CodeToken::name},
                                                 {"selector", CodeToken::function},
                                                 {"atom", CodeToken::name},
                                                 {"argument", CodeToken::name},
                                                 {"optionalargument", CodeToken::name},
                                                 {"oldfile", CodeToken::string},
                                                 {"newfile", CodeToken::type},
                                                 {"difflines", CodeToken::keyword}};
    return names;
}

// What models write after ``` that lang.map does not know.
QString canonicalLanguage(const QString& written) {
    static const QHash<QString, QString> aliases{
        {"c++", "cpp"},       {"cu", "cpp"},           {"cuda", "cpp"},    {"cuh", "cpp"},
        {"hip", "cpp"},       {"metal", "cpp"},        {"python3", "py"},  {"triton", "py"},
        {"rust", "rs"},       {"typescript", "js"},    {"ts", "js"},       {"tsx", "js"},
        {"jsx", "js"},        {"mjs", "js"},           {"node", "js"},     {"console", "sh"},
        {"golang", "go"},     {"shell-session", "sh"}, {"terminal", "sh"}, {"make", "makefile"},
        {"c#", "cs"},         {"jsonc", "json"},       {"json5", "json"},  {"svg", "xml"},
        {"kotlin", "scala"},  {"kt", "scala"},         {"toml", "ini"},    {"assembly", "asm"},
        {"objective-c", "c"}, {"objc", "c"},           {"elisp", "lisp"},  {"wgsl", "glsl"},
        {"hlsl", "glsl"}};
    const QString name = written.toLower();
    return aliases.value(name, name);
}

class SpanFormatter : public srchilite::Formatter {
  public:
    SpanFormatter(CodeToken token, const int& line_start, QVector<CodeSpan>& out)
        : token_(token), line_start_(line_start), out_(out) {}
    void format(const std::string& text, const srchilite::FormatterParams* params) override {
        if (!params || params->start < 0 || text.empty()) return;
        out_.append({line_start_ + params->start, static_cast<int>(text.size()), token_});
    }

  private:
    CodeToken token_;
    const int& line_start_;
    QVector<CodeSpan>& out_;
};

class NullFormatter : public srchilite::Formatter {
  public:
    void format(const std::string&, const srchilite::FormatterParams*) override {}
};

// What is read once: the map of languages and the definitions used so far.
struct Library {
    std::string folder = srchilite::Settings::retrieveDataDir();
    srchilite::LangMap languages{folder, "lang.map"};
    srchilite::RegexRuleFactory rules;
    srchilite::LangDefManager definitions{&rules};
};

// One byte for each UTF-16 unit, so that offsets agree: what is not ASCII counts as a letter.
std::string asBytes(QStringView line) {
    std::string bytes(static_cast<size_t>(line.size()), 'a');
    for (qsizetype i = 0; i < line.size(); ++i) {
        const char16_t unit = line[i].unicode();
        if (unit < 0x80) bytes[static_cast<size_t>(i)] = static_cast<char>(unit);
    }
    return bytes;
}

void highlightLines(const QString& code, srchilite::SourceHighlighter& highlighter, int& line_start,
                    const std::atomic<bool>* cancelled) {
    while (line_start <= code.size()) {
        if (cancelled && cancelled->load()) return;
        qsizetype end = code.indexOf(QLatin1Char('\n'), line_start);
        if (end < 0) end = code.size();
        const QStringView line = QStringView(code).mid(line_start, end - line_start);
        if (line.size() <= longest_line) highlighter.highlightParagraph(asBytes(line));
        line_start = static_cast<int>(end) + 1;
    }
}

}  // namespace

QVector<CodeSpan> highlightCode(const QString& code, const QString& language,
                                const std::atomic<bool>* cancelled) {
    static QMutex mutex;
    if (language.isEmpty() || code.size() > longest_code) return {};
    const QMutexLocker lock(&mutex);
    QVector<CodeSpan> spans;
    try {
        static Library library;
        const std::string file =
            library.languages.getMappedFileName(canonicalLanguage(language).toStdString());
        if (file.empty()) return {};
        int line_start = 0;
        srchilite::FormatterManager formatters(srchilite::FormatterPtr(new NullFormatter));
        for (auto it = tokenNames().begin(); it != tokenNames().end(); ++it) {
            formatters.addFormatter(
                it.key().toStdString(),
                srchilite::FormatterPtr(new SpanFormatter(it.value(), line_start, spans)));
        }
        srchilite::SourceHighlighter highlighter(
            library.definitions.getHighlightState(library.folder, file));
        srchilite::FormatterParams params;
        highlighter.setFormatterManager(&formatters);
        highlighter.setFormatterParams(&params);
        highlighter.setOptimize(false);
        highlightLines(code, highlighter, line_start, cancelled);
    } catch (const std::exception&) {
        // A definition that is missing or broken, or code too intricate for its expressions: what
        // was found stands, the rest is plain.
    }
    return spans;
}

QColor codeTokenColor(CodeToken token, const QPalette& palette) {
    struct Pair {
        const char *light, *dark;
    };
    static constexpr Pair colors[] = {
        {"#8e24aa", "#d19af5"},  // keyword
        {"#00696f", "#5fd0d6"},  // type
        {"#22691f", "#9ccf7c"},  // string
        {"#a04300", "#f2a766"},  // number
        {"#5c6570", "#98a2ae"},  // comment
        {"#8a4b08", "#e0b070"},  // preprocessor
        {"#1f56b5", "#84b4ff"},  // function
        {"#a1264f", "#f296b0"},  // name
    };
    static_assert(std::size(colors) == static_cast<size_t>(CodeToken::count));
    const Pair& pair = colors[static_cast<int>(token)];
    return QColor(isDark(palette) ? pair.dark : pair.light);
}

CodeHighlighter::CodeHighlighter(QObject* parent) : QObject(parent), known_(4'000'000) {
    pool_.setMaxThreadCount(1);
    pool_.setThreadPriority(QThread::LowPriority);
}

CodeHighlighter::~CodeHighlighter() {
    cancelled_ = true;
    pool_.clear();
    pool_.waitForDone();
}

CodeHighlighter::Spans CodeHighlighter::spans(const QString& code, const QString& language) {
    const QString key = language + QLatin1Char('\n') + code;
    if (const Spans* spans = known_.object(key)) return *spans;
    if (asked_.contains(key)) return nullptr;
    asked_.insert(key);
    pool_.start([this, key, code, language] {
        const QVector<CodeSpan> found = highlightCode(code, language, &cancelled_);
        if (cancelled_) return;
        QMetaObject::invokeMethod(  // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): Qt's own
            this, [this, key, found] { take(key, found); }, Qt::QueuedConnection);
    });
    return nullptr;
}

void CodeHighlighter::take(const QString& key, const QVector<CodeSpan>& spans) {
    asked_.remove(key);
    known_.insert(key, new Spans(std::make_shared<const QVector<CodeSpan>>(spans)), key.size());
    Q_EMIT highlighted();
}

}  // namespace lockstep
