"""Settings from files and the environment, and what people read when one is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cfg import loading
from cfg.loading import Problem, SettingsError, load, settings_file
from cfg.model import EdgeTts, OllamaLlm, OpenAiLlm, Settings


@pytest.fixture(autouse=True)
def no_local_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The developer's own cfg/local.toml must not decide a test."""
    monkeypatch.setattr(loading, "LOCAL_FILE", tmp_path / "local.toml")


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        file = tmp_path / "mine.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def problems(path: Path | None = None, **environ: str) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    return caught.value.problems


def only(path: Path | None = None, **environ: str) -> Problem:
    found = problems(path, **environ)
    assert len(found) == 1, found
    return found[0]


class TestSources:
    def test_defaults_are_the_models_own(self) -> None:
        settings = load(None, {})
        assert settings.server == Settings().server
        assert [engine.name for engine in (*settings.asr, *settings.llm, *settings.tts)] == [
            "vosk",
            "rules",
            "espeak",
        ]

    def test_file_overrides_defaults_and_environment_overrides_the_file(self, written) -> None:
        file = written("[server]\ndevice_port = 8100\nhttp_port = 8103\n")
        settings = load(file, {"XIAOZHI__SERVER__HTTP_PORT": "8203"})
        assert (settings.server.device_port, settings.server.http_port) == (8100, 8203)

    def test_file_of_the_command_line_then_the_variable_then_local(
        self, tmp_path: Path, written
    ) -> None:
        given, named = written(""), {"XIAOZHI_CONFIG": str(tmp_path / "named.toml")}
        assert settings_file(None, {}) is None
        assert settings_file(None, named) == tmp_path / "named.toml"
        loading.LOCAL_FILE.write_text("", encoding="utf-8")
        assert settings_file(None, {}) == loading.LOCAL_FILE
        assert settings_file(None, named) == tmp_path / "named.toml"
        assert settings_file(given, named) == given

    def test_byte_order_mark_is_no_error(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_bytes(b"\xef\xbb\xbf[log]\nlevel = 'debug'\n")
        assert load(file, {}).log.level == "debug"

    @pytest.mark.parametrize(
        ("name", "text", "expected"),
        [
            ("SERVER__WEBSOCKET_VERSION", "3", 3),
            ("SERVER__TRUSTED_PROXIES", '["10.0.0.0/8"]', ("10.0.0.0/8",)),
            ("SERVER__HANDSHAKE_TIMEOUT_S", "2.5", 2.5),
            ("LISTENING__ADAPTIVE", "false", False),
            ("LISTENING__ADAPTIVE", "no", False),
            ("DIALOGUE__GOODBYE", "12", "12"),
            ("DIALOGUE__WAKE_GREETING", "", ""),
            ("LOG__LEVEL", "debug", "debug"),
        ],
    )
    def test_variable_is_converted_to_its_settings_type(
        self, name: str, text: str, expected: object
    ) -> None:
        value: Any = load(None, {f"XIAOZHI__{name}": text})
        for part in name.lower().split("__"):
            value = getattr(value, part)
        assert value == expected

    def test_engines_come_as_json(self) -> None:
        engines = json.dumps([{"kind": "ollama", "model": "qwen2.5:3b"}, {"kind": "rules"}])
        first, second = load(None, {"XIAOZHI__LLM": engines}).llm
        assert isinstance(first, OllamaLlm)
        assert (first.model, second.kind) == ("qwen2.5:3b", "rules")

    def test_secret_of_one_engine_from_the_environment(self, written) -> None:
        file = written('[[llm]]\nkind = "openai"\nbase_url = "https://host"\nmodel = "m"\n')
        engine = load(file, {"XIAOZHI__LLM__0__API_KEY": "123"}).llm[0]
        assert isinstance(engine, OpenAiLlm)
        assert engine.api_key == SecretStr("123")

    def test_unrelated_variables_are_left_alone(self) -> None:
        assert load(None, {"XIAOZHI": "1", "XIAOZHI_ELSE": "2", "HOME": "/"}) == load(None, {})


class TestEngineNames:
    def test_unnamed_engines_are_numbered_around_given_names(self, written) -> None:
        file = written(
            '[[llm]]\nkind = "ollama"\n[[llm]]\nkind = "ollama"\nname = "ollama-2"\n'
            '[[llm]]\nkind = "ollama"\n[[llm]]\nkind = "rules"\n'
        )
        names = [engine.name for engine in load(file, {}).llm]
        assert names == ["ollama", "ollama-2", "ollama-3", "rules"]

    def test_same_name_twice_is_refused_with_its_line(self, written) -> None:
        file = written(
            '[[tts]]\nkind = "edge"\nname = "a"\n\n[[tts]]\nname = "a"\nkind = "espeak"\n'
        )
        problem = only(file)
        assert (problem.path, problem.value) == ("tts[1].name", '"a"')
        assert "no other [[tts]] block" in problem.allowed
        assert problem.source.endswith("mine.toml, line 6")


class TestProblems:
    def test_every_problem_is_listed_with_path_value_and_what_is_allowed(self, written) -> None:
        file = written('[server]\ndevice_port = 70000\nhost = 5\n[log]\nlevel = "loud"\n')
        with pytest.raises(SettingsError) as caught:
            load(file, {})
        text = str(caught.value)
        assert text.startswith("3 settings are wrong:")
        assert "server.device_port = 70000  (" in text
        assert "mine.toml, line 2)" in text
        assert "allowed: a whole number from 1 to 65535" in text
        assert 'log.level = "loud"' in text
        assert 'one of "debug", "info", "warning", "error"' in text

    def test_unknown_name_suggests_the_one_that_was_meant(self, written) -> None:
        problem = only(written("[server]\ndevice_prot = 8000\n"))
        assert problem.path == "server.device_prot"
        assert problem.allowed == "no such setting; did you mean device_port?"

    def test_unknown_name_like_none_lists_what_there_is(self, written) -> None:
        problem = only(written("[zzz]\na = 1\n"))
        assert problem.allowed.startswith("no such setting; known here: server, downlink")

    def test_unknown_name_in_an_engine(self, written) -> None:
        problem = only(written('[[llm]]\nkind = "ollama"\nmodell = "x"\n'))
        assert problem.path == "llm[0].modell"
        assert "did you mean model?" in problem.allowed

    def test_unknown_variable_suggests_too(self) -> None:
        problem = only(XIAOZHI__SERVER__DEVICEPORT="1")
        assert problem.path == "server.deviceport"
        assert "did you mean device_port?" in problem.allowed
        assert problem.source == "environment variable XIAOZHI__SERVER__DEVICEPORT"

    @pytest.mark.parametrize("name", ["SERVR__HOST", "SERVER__HOST__X", "HOST", "_", "SERVER__"])
    def test_variable_without_a_place_is_named(self, name: str) -> None:
        problem = only(**{f"XIAOZHI__{name}": "x"})
        assert problem.source == f"environment variable XIAOZHI__{name}"

    def test_engine_variable_beyond_the_list_says_how_many_there_are(self) -> None:
        problem = only(XIAOZHI__LLM__0__API_KEY="k3y")
        assert "there are 0 engines set for llm" in problem.allowed
        assert "k3y" not in str(problem)

    def test_wrong_value_of_a_variable_names_the_variable(self) -> None:
        problem = only(XIAOZHI__SERVER__DEVICE_PORT="many")
        assert (problem.path, problem.value) == ("server.device_port", '"many"')
        assert problem.source == "environment variable XIAOZHI__SERVER__DEVICE_PORT"

    @pytest.mark.parametrize("text", ["10.0.0.1,10.0.0.2", "[", '{"a": 1}'])
    def test_list_that_is_no_json_list(self, text: str) -> None:
        problem = only(XIAOZHI__SERVER__TRUSTED_PROXIES=text)
        assert problem.path == "server.trusted_proxies"
        assert '["one", "two"]' in problem.allowed

    def test_kind_that_does_not_exist_and_kind_left_out(self, written) -> None:
        wrong = only(written('[[tts]]\nkind = "festival"\n'))
        assert (wrong.path, wrong.value) == ("tts[0].kind", '"festival"')
        assert wrong.allowed == 'allowed: one of "espeak", "edge", "openai"'
        assert only(written("[[tts]]\nweight = 1\n")).path == "tts[0].kind"

    def test_required_setting_is_asked_for(self, written) -> None:
        found = problems(written('[[llm]]\nkind = "openai"\n'))
        assert {problem.path for problem in found} == {"llm[0].base_url", "llm[0].model"}
        assert all(problem.allowed == "missing; it must be text" for problem in found)

    def test_table_where_a_list_of_engines_belongs(self, written) -> None:
        problem = only(written('[llm]\nkind = "ollama"\n'))
        assert problem.path == "llm"
        assert "[[llm]]" in problem.allowed

    def test_no_engine_at_all(self, written) -> None:
        problem = only(written("asr = []\n"))
        assert (problem.path, problem.allowed) == ("asr", "allowed: at least one engine")

    def test_broken_toml_names_the_line(self, written) -> None:
        problem = only(written("[server]\nhost = oops\n"))
        assert "mine.toml" in problem.path
        assert "line 2" in problem.path
        assert "name = value" in problem.allowed

    def test_file_that_is_not_there_or_not_text(self, tmp_path: Path) -> None:
        assert "cannot be read" in only(tmp_path / "none.toml").allowed
        assert "cannot be read" in only(tmp_path).allowed
        (tmp_path / "binary").write_bytes(b"a = '\xff'\n")
        assert "UTF-8" in only(tmp_path / "binary").allowed

    def test_problems_of_file_and_environment_come_together(self, written) -> None:
        found = problems(written("[server]\nhttp_port = 0\n"), XIAOZHI__LOGG="x")
        assert [problem.path for problem in found] == ["logg", "server.http_port"]


class TestRulesAcrossFields:
    def test_two_ports_that_are_one(self, written) -> None:
        problem = only(written("[server]\ndevice_port = 8003\n"))
        assert problem.path == "server.http_port"

    def test_pauses_out_of_order(self, written) -> None:
        problem = only(written("[listening]\nendpoint_complete_ms = 700\n"))
        assert "at most endpoint_unsure_ms, which is 500" in problem.allowed

    @pytest.mark.parametrize("url", ["ws://host:1/path", "host?x", "http://host/?x", "ws://?x"])
    def test_edge_service_without_question_mark_or_scheme(self, written, url: str) -> None:
        problem = only(written(f'[[tts]]\nkind = "edge"\nservice_url = "{url}"\n'))
        assert problem.path == "tts[0].service_url"
        assert "contains '?'" in problem.allowed

    def test_edge_service_that_is_right(self, written) -> None:
        file = written('[[tts]]\nkind = "edge"\nservice_url = "ws://127.0.0.1:9/edge?key=1"\n')
        assert isinstance(load(file, {}).tts[0], EdgeTts)

    @pytest.mark.parametrize("url", ["127.0.0.1:11434", "ollama", "ftp://host", "http://", ""])
    def test_base_url_that_is_no_address(self, written, url: str) -> None:
        problem = only(written(f'[[llm]]\nkind = "ollama"\nbase_url = "{url}"\n'))
        assert problem.path == "llm[0].base_url"
        assert "http://host:port" in problem.allowed

    def test_public_address_and_proxies(self, written) -> None:
        file = written(
            '[server]\npublic_websocket_url = "http://host"\ntrusted_proxies = ["nginx"]\n'
        )
        assert [p.path for p in problems(file)] == [
            "server.public_websocket_url",
            "server.trusted_proxies[0]",
        ]


class TestSecrets:
    SECRET = "s3cr3t-value"

    @pytest.mark.parametrize(
        "text",
        [
            "[server]\ntokens = '{}'\n",
            "[server]\ntokens = [['{}']]\n",
            "[[llm]]\nkind = 'ollama'\napi_key = ['{}']\n",
            "[[llm]]\nkind = 'ollama'\napikey = '{}'\n",
            "[[llm]]\nkind = 'olama'\napi_key = '{}'\n",
            "[[llm]]\napi_key = '{}'\n",
            "[llm]\napi_key = '{}'\n",
            "[server]\nhost = ['{}']\n",
            "[[llm]]\nkind = 'ollama'\nbase_url = 'ftp://me:{}@host'\n",
            "[server]\ntokens = '{}\n",
        ],
    )
    def test_secret_in_a_wrong_file_is_not_shown(self, written, text: str) -> None:
        with pytest.raises(SettingsError) as caught:
            load(written(text.replace("{}", self.SECRET)), {})
        assert self.SECRET not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("LLM", '[{"kind": "openai", "api_key": "{}"'),
            ("LLM", '[{"kind": "openai", "api_key": "{}"}]'),
            ("SERVER__TOKENS", "{}"),
            ("SERVER", '{"tokens": "{}"}'),
            ("LLM__API_KEY", "{}"),
            ("API_KEY", "{}"),
        ],
    )
    def test_secret_in_a_wrong_variable_is_not_shown(self, name: str, text: str) -> None:
        with pytest.raises(SettingsError) as caught:
            load(None, {f"XIAOZHI__{name}": text.replace("{}", self.SECRET)})
        assert self.SECRET not in str(caught.value)
