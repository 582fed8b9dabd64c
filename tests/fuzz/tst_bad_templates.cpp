// SPDX-License-Identifier: GPL-3.0-or-later
// Damaged templates: whatever a file says its template is, compiling and rendering it comes back
// with a text or an error. Built with sanitizers in the asan preset; seeded, so that a failure
// repeats.
#include <QElapsedTimer>
#include <QTest>

#include "core/base/random.h"
#include "tests/unit/text/template_goldens.h"

using namespace lockstep;

namespace {

// Pieces that a mutation puts in: what templates are made of.
constexpr const char* pieces[] = {
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{%-",
    "-%}",
    "{{-",
    "-}}",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ".",
    ",",
    ":",
    "~",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "==",
    "<",
    " is ",
    " in ",
    " not ",
    " and ",
    " if ",
    " else ",
    "{% endif %}",
    "{% endfor %}",
    "{% for x in messages %}",
    "{% if x %}",
    "{% set x = messages %}",
    "{% macro m(x) %}",
    "{% endmacro %}",
    "{{ m(m) }}",
    "messages",
    "loop",
    "namespace()",
    "range(99)",
    "'a'",
    "\"",
    "\\",
    "1",
    "-1",
    "9223372036854775807",
    "1e308",
    "none",
    "[::-1]",
    "[1:]",
    "|tojson",
    "|list",
    "|join",
    "|map('upper')",
    "|sort",
    "|length",
    ".split()",
    ".strip",
    ".items()",
    "{% break %}",
    "{% raw %}",
    "{% endraw %}",
    "\n",
    "\r",
    "\xff",
    "é",
    "\xe2\x80",
    "{% generation %}",
    "{% call m() %}",
    "{% endcall %}",
    "{% filter trim %}",
};

class Mutator {
  public:
    explicit Mutator(uint64_t seed) : random_(seed) {}

    std::string mutate(std::string text, const std::string& other) {
        const uint64_t changes = 1 + random_.next() % 4;
        for (uint64_t i = 0; i < changes; ++i) change(text, other);
        return text;
    }
    size_t below(size_t end) { return end ? random_.next() % end : 0; }

  private:
    void change(std::string& text, const std::string& other) {
        const size_t at = below(text.size() + 1);
        const size_t length = below(std::min<size_t>(text.size() - at, 40) + 1);
        switch (below(6)) {
            case 0:
                text.erase(at, length);
                break;
            case 1:
                text.insert(at, pieces[below(std::size(pieces))]);
                break;
            case 2:
                text.replace(at, length, pieces[below(std::size(pieces))]);
                break;
            case 3:
                text.insert(at, other.substr(below(other.size()), 1 + below(60)));
                break;
            case 4:
                text.insert(at, text.substr(at, length));
                break;
            default:
                if (at < text.size()) text[at] = static_cast<char>(below(256));
        }
    }

    Random random_;
};

TemplateInputs conversation() {
    TemplateInputs inputs;
    inputs.messages = {
        {"system", "s"}, {"user", "hello {{ x }}"}, {"assistant", "a"}, {"user", "b"}};
    inputs.bos_token = "<s>";
    inputs.eos_token = "</s>";
    inputs.now = test::golden_now();
    return inputs;
}

}  // namespace

class TestBadTemplates : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void damaged_templates_come_back() {
        std::vector<std::string> sources;
        for (const char* name :
             {"smollm2", "qwen2.5", "llama3_tools", "mistral_tools", "deepseek_r1", "qwen3_like",
              "gemma3", "generation_blocks", "zephyr"})
            sources.push_back(test::fixture(name));
        const test::Goldens goldens;
        for (const OrderedJson& row : goldens.constructs)
            sources.push_back(row.at("source").get<std::string>());
        QVERIFY(sources.size() > 500);
        Mutator mutator(20240707);
        const TemplateInputs inputs = conversation();
        QElapsedTimer clock;
        clock.start();
        int compiled = 0, rendered = 0, tried = 0;
        qint64 slowest = 0;
        for (; clock.elapsed() < 6000 || tried < 500; ++tried) {
            const std::string source = mutator.mutate(sources[mutator.below(sources.size())],
                                                      sources[mutator.below(sources.size())]);
            const qint64 before = clock.elapsed();
            const auto made = ChatTemplate::compile(source);
            compiled += made.has_value();
            if (made) rendered += made->render(inputs).has_value();
            if (!made) QVERIFY(!made.error().message.empty());
            const qint64 took = clock.elapsed() - before;
            slowest = std::max(slowest, took);
            QVERIFY2(took < 30000, source.c_str());
        }
        qInfo("%d tried, %d compiled, %d rendered, slowest %lld ms", tried, compiled, rendered,
              static_cast<long long>(slowest));
        // Else the mutations are too wild, or change nothing.
        QVERIFY(compiled > tried / 100);
        QVERIFY(compiled < tried);
    }
    void every_prefix_comes_back() {
        for (const char* name : {"smollm2", "qwen3_like", "generation_blocks"}) {
            const std::string source = test::fixture(name);
            const size_t stride = source.size() > 1000 ? 7 : 1;
            for (size_t size = 0; size < source.size(); size += stride)
                (void)ChatTemplate::compile(source.substr(0, size));
        }
    }
    void arbitrary_bytes_come_back() {
        Random random(5);
        for (int i = 0; i < 3000; ++i) {
            std::string source(random.next() % 200, ' ');
            for (char& c : source) c = static_cast<char>(random.next());
            (void)ChatTemplate::compile("{{" + source);
            (void)ChatTemplate::compile(source + "%}" + source);
        }
    }
    void a_huge_template_is_refused() {
        const auto made = ChatTemplate::compile(std::string(3 << 20, 'x'));
        QVERIFY(!made);
        QVERIFY(made.error().message.find("1 MiB") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TestBadTemplates)
#include "tst_bad_templates.moc"
