// SPDX-License-Identifier: GPL-3.0-or-later
// tests/golden/templates, as the tests need them.
#pragma once

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <cstdlib>
#include <ctime>

#include "core/base/json.h"
#include "core/text/chat_template.h"

namespace lockstep::test {

inline QByteArray read_golden(const QString& name) {
    QFile file("golden/templates/" + name);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

inline std::string fixture(const QString& name) {
    return read_golden("templates/" + name + ".jinja").toStdString();
}

// The goldens' clock: 2024-07-06 09:05:03, in the time zone that the tests set.
inline std::chrono::system_clock::time_point golden_now() {
    setenv("TZ", "UTC", 1);
    tzset();
    return std::chrono::system_clock::from_time_t(1720256703);
}

// Text of a part of a golden, its keys in the file's order: tojson must not see them sorted, so the
// text is cut out of the file (nlohmann's ordered_json does that for us).
struct Goldens {
    OrderedJson conversations = parse("conversations.json");
    OrderedJson cases = parse("cases.json");
    OrderedJson constructs = parse("constructs.json");

  private:
    static OrderedJson parse(const QString& name) {
        const auto json = parse_ordered_json(read_golden(name).toStdString(), name.toStdString());
        return json ? *json : OrderedJson();
    }
};

inline ChatMessage message_of(const OrderedJson& json) {
    ChatMessage message;
    OrderedJson more = json;
    message.role = json.at("role").get<std::string>();
    more.erase("role");
    if (json.at("content").is_string()) {
        message.content = json.at("content").get<std::string>();
        more.erase("content");
    }
    if (!more.empty()) message.fields_json = more.dump();
    return message;
}

inline TemplateInputs inputs_of(const Goldens& goldens, const OrderedJson& golden_case) {
    TemplateInputs inputs;
    const std::string name = golden_case.at("conversation").get<std::string>();
    for (const OrderedJson& message : goldens.conversations.at("conversations").at(name))
        inputs.messages.push_back(message_of(message));
    if (golden_case.at("tools").get<bool>())
        inputs.tools_json = goldens.conversations.at("tools").dump();
    inputs.add_generation_prompt = golden_case.at("generate").get<bool>();
    inputs.variables_json = golden_case.at("variables").dump();
    inputs.bos_token = "<s>";
    inputs.eos_token = "</s>";
    inputs.now = golden_now();
    return inputs;
}

}  // namespace lockstep::test
