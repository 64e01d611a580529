"""Renders and assistant masks of the chat templates that trl comes with, as JSON on the standard output.

For test/tokenizer/real-chat-templates.test.ts, which runs it where ADAPTIVE_TRAINER_PYTHON has transformers and trl.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

from transformers.utils.chat_template_utils import _compile_jinja_template, _render_with_assistant_indices

FOLDER = Path(find_spec("trl").origin).parent / "chat_templates"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
CITY = {"type": "string", "description": "é <b> \"c\""}
COUNT = {"type": ["integer", "null"], "enum": [1, 2], "default": 1.5}
PARAMETERS = {"type": "object", "properties": {"city": CITY, "n": COUNT}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells <it> & more", "parameters": PARAMETERS}}]
CALL = {"type": "function", "id": "abcdef123", "function": {"name": "weather", "arguments": {"city": "Zürich", "n": 1}}}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def tool(content):
    return {"role": "tool", "content": content, "name": "weather", "tool_call_id": "abcdef123"}


CHATS = {
    "one": [user("Hi"), assistant("Hello! 🙂")],
    "system": [{"role": "system", "content": "Be brief."}, user(" Hi\n"), assistant("Hello\n")],
    "two": [user("a"), assistant("b"), user("c"), assistant("d")],
    "thoughts": [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c"), assistant("<think>\nso\n</think>\n\nd")],
    "reasoning": [user("a"), assistant("b", reasoning_content="r", thinking="r"), user("c"), assistant("d", reasoning_content="s", thinking="s")],
    "tool": [user("weather?"), assistant("", tool_calls=[CALL]), tool("12 °C"), assistant("It is 12.")],
    "tool, none": [user("weather?"), assistant(None, tool_calls=[CALL]), tool("12 °C"), assistant("12."), user("ok"), assistant("bye")],
    "parts": [{"role": role, "content": [{"type": "text", "text": role}]} for role in ["user", "assistant"]],
    "prompt": [user("a")],
}


def render(source: str, chat: list, tools: list | None, asks: bool) -> dict:
    try:
        template = _compile_jinja_template(source)
        text, marks = _render_with_assistant_indices(template, chat, tools, None, asks, **TOKENS)
        # In UTF-16 units, as JavaScript counts.
        units = [[len(text[:at].encode("utf-16-le")) // 2 for at in mark] for mark in marks]
        return {"text": text, "marks": units}
    except Exception as error:  # of any kind: the template's own, or a template that cannot render this chat
        return {"error": str(error)}


if __name__ == "__main__":
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.jinja"))}
    cases = [
        {"template": name, "chat": chat, "tools": tools is not None, "asks": asks, **render(source, CHATS[chat], tools, asks)}
        for name, source in sources.items()
        for chat in CHATS
        for tools in (None, TOOLS)
        for asks in (False, True)
    ]
    json.dump({"sources": sources, "chats": CHATS, "tools": TOOLS, "tokens": TOKENS, "cases": cases}, sys.stdout)
