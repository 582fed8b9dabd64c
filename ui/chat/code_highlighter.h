// SPDX-License-Identifier: GPL-3.0-or-later
// Syntax highlighting by GNU source-highlight, on a thread of its own: reading a language's
// definition alone takes tens of milliseconds, and the library's parser keeps its state in globals,
// so that only one thread may ever be inside it.
#pragma once

#include <QCache>
#include <QColor>
#include <QObject>
#include <QPalette>
#include <QSet>
#include <QString>
#include <QThreadPool>
#include <QVector>
#include <atomic>
#include <memory>

namespace lockstep {

enum class CodeToken {
    keyword,
    type,
    string,
    number,
    comment,
    preprocessor,
    function,
    name,
    count
};

struct CodeSpan {
    int start = 0;  // UTF-16 units into the code
    int length = 0;
    CodeToken token = CodeToken::keyword;
    bool operator==(const CodeSpan&) const = default;
};

// In order and apart from each other. Empty where the language is not known or cannot be read.
// Blocking; one call at a time runs, others wait. `cancelled` is looked at between lines.
QVector<CodeSpan> highlightCode(const QString& code, const QString& language,
                                const std::atomic<bool>* cancelled = nullptr);

// At least 4.5 : 1 on ThemeColors::code of the same palette.
QColor codeTokenColor(CodeToken token, const QPalette& palette);

class CodeHighlighter : public QObject {
    Q_OBJECT
  public:
    using Spans = std::shared_ptr<const QVector<CodeSpan>>;

    explicit CodeHighlighter(QObject* parent = nullptr);
    ~CodeHighlighter() override;

    // Null: not known yet; highlighted() follows, and the next call has it.
    Spans spans(const QString& code, const QString& language);

  Q_SIGNALS:
    void highlighted();

  private:
    void take(const QString& key, const QVector<CodeSpan>& spans);

    QCache<QString, Spans> known_;  // cost: characters of code
    QSet<QString> asked_;
    std::atomic<bool> cancelled_ = false;
    QThreadPool pool_;
};

}  // namespace lockstep
