// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of wrong tokenizers share: files into a folder, loaded, and what the refusal says.
#pragma once

#include <QTemporaryDir>
#include <QTest>
#include <fstream>
#include <sstream>

#include "core/text/tokenizer.h"

namespace lockstep::test {

inline const std::string tokenizer_goldens = LOCKSTEP_SOURCE_DIR "/tests/golden/tokenizer/";

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

using Files = std::vector<std::pair<std::string, std::string>>;

// Writes the files into a folder of their own and loads it.
inline Result<std::unique_ptr<const Tokenizer>> load(const Files& files) {
    const QTemporaryDir folder;
    for (const auto& [name, content] : files)
        std::ofstream(folder.filePath(name.c_str()).toStdString(), std::ios::binary) << content;
    return load_tokenizer(folder.path().toStdString());
}

// Whatever was loaded must stand any text.
inline void use(const Tokenizer& tokenizer) {
    EncodeOptions options;
    options.control = EncodeOptions::Control::everywhere;
    options.add_special = true;
    using namespace std::string_literals;
    for (const std::string& text :
         {""s, "a\0b"s, "Hello \xff\xe2\x82 world\n\n  "s, "e\u0301\u0316 <s></s>"s}) {
        const auto ids = tokenizer.encode(text, options);
        (void)tokenizer.decode(ids, true);
        for (const int32_t id : ids) (void)tokenizer.token_bytes(id);
    }
}

// The error's message; empty where there is none.
inline QString message(const Result<std::unique_ptr<const Tokenizer>>& result) {
    if (result) return {};
    return QString::fromStdString(result.error().message);
}

inline void expect_error(const Result<std::unique_ptr<const Tokenizer>>& result,
                         const QString& expected) {
    QVERIFY2(!result, "this must be refused");
    QVERIFY2(message(result).contains(expected),
             qPrintable("the error must say \"" + expected + "\", but says: " + message(result)));
    QVERIFY2(message(result).size() < 1000, "an error that nobody can read");
}

}  // namespace lockstep::test
