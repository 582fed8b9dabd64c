#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jinja2 makes of chat templates, with transformers' settings.

    python3 make_goldens.py            # jinja2 3.1.6; writes cases.json and constructs.json

cases.json: every template in templates/ x the conversations of conversations.py.
constructs.json: the small templates of constructs.py, one construct each.
The environment is that of transformers.utils.chat_template_utils (4.5x / 5), its clock fixed.
"""
import datetime
import json
import pathlib
import sys
import traceback

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

import constructs
import conversations

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2024, 7, 6, 9, 5, 3)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_support"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _support(self, context, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            Namespace.check_name(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace.check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"{name!r} begins with an underscore")


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    env.globals["namespace"] = Namespace
    return env


def render(source, variables):
    """{"text": ...} or {"error": message, "line": n, "refused": bool}."""
    try:
        return {"text": environment().from_string(source).render(**variables)}
    except jinja2.TemplateSyntaxError as error:
        return {"error": str(error.message), "line": error.lineno}
    except Exception as error:  # whatever a template can raise is part of the golden
        lines = [frame.lineno for frame in traceback.extract_tb(sys.exc_info()[2])
                 if frame.filename == "<template>"]
        refused = type(error) is jinja2.exceptions.TemplateError
        return {"error": str(error), "line": lines[-1] if lines else 0, "refused": refused}


def write(path, rows):
    text = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
    path.write_text("[\n" + text + "\n]\n")


def cases():
    for path in sorted((HERE / "templates").glob("*.jinja")):
        source = path.read_bytes().decode()
        for name, messages in conversations.CONVERSATIONS.items():
            uses_tools = "tool" in name or name in ("one", "system_turns", "nasty")
            for tools in (None, conversations.TOOLS) if uses_tools else (None,):
                for generate in (True, False) if tools is None else (True,):
                    more = {}
                    if name == "thinking":
                        more = {"enable_thinking": not generate, "tools_with_user": False}
                    variables = dict(messages=messages, tools=tools, documents=None,
                                     add_generation_prompt=generate, bos_token="<s>",
                                     eos_token="</s>", **more)
                    yield {"template": path.stem, "conversation": name, "tools": tools is not None,
                           "generate": generate, "variables": more, **render(source, variables)}


def main():
    rows = list(cases())
    write(HERE / "cases.json", rows)
    write(HERE / "constructs.json",
          [{"source": source, **render(source, json.loads(json.dumps(constructs.VARIABLES)))}
           for source in constructs.SOURCES])
    (HERE / "conversations.json").write_text(json.dumps(
        {"conversations": conversations.CONVERSATIONS, "tools": conversations.TOOLS,
         "variables": constructs.VARIABLES}, ensure_ascii=True, indent=1) + "\n")
    print(len(rows), "cases,", sum("error" in row for row in rows), "of them refused;",
          len(constructs.SOURCES), "constructs")


if __name__ == "__main__":
    main()
