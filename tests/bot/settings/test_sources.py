"""The settings: where they are found, which source wins, and the sentence for each mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.places import daemon_sockets, settings_file, socket_path
from bot.settings.cron import cron_fields
from bot.settings.example import example
from bot.settings.fields import Settings
from bot.settings.sources import Loaded, load_settings, secret_keys

Load = Callable[[str], Loaded]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place without settings of anybody's own, and without variables of a session."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("GRILLON_CONFIG", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a settings file and load it."""

    def loaded(text: str) -> Loaded:
        file = tmp_path / "given.toml"
        file.write_text(text, encoding="utf-8")
        return load_settings(file)

    return loaded


def test_the_example_loads_as_it_is_and_uncommented(load: Load) -> None:
    text = example()
    assert load(text).settings == Settings()
    uncommented = re.sub(r"(?m)^#(?=[a-z\[])", "", text)
    everything = load(uncommented).settings
    assert everything.collections[0].name == "handbook"
    assert everything.people[0].owner
    defaults = Settings()
    assert all(
        getattr(everything, name) == getattr(defaults, name)
        for name in ("model", "embedding", "http", "limits", "daemon", "discord")
    )


def test_the_example_shows_every_key() -> None:
    shown = tomllib.loads(re.sub(r"(?m)^#(?=[a-z\[])", "", example()))
    dumped = Settings().model_dump()
    secrets = {("model", "api_key"), ("embedding", "api_key"), ("telegram", "token"), ("discord", "token")}
    secrets |= {("telegram", "webhook_secret")}
    assert secrets == set(secret_keys())
    expected = {(section, key) for section, table in dumped.items() if isinstance(table, dict) for key in table} - secrets
    assert set(dumped["discord"]["budgets"]) == set(shown["discord"]["budgets"])
    assert expected == {(section, key) for section, table in shown.items() if isinstance(table, dict) for key in table}


def test_every_field_is_described() -> None:
    assert not re.search(r"(?m)^# None", example())


def test_files_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = settings_file()
    assert system in (None, Path("/etc/grillon/grillon.toml"))
    user = tmp_path / "xdg" / "grillon" / "grillon.toml"
    user.parent.mkdir(parents=True)
    user.touch()
    assert settings_file() == user
    here = tmp_path / "grillon.toml"
    here.touch()
    assert settings_file() == Path("grillon.toml")
    named = tmp_path / "named.toml"
    named.touch()
    monkeypatch.setenv("GRILLON_CONFIG", str(named))
    assert settings_file() == named
    assert settings_file(here) == here


@pytest.mark.parametrize("variable", [True, False])
def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: bool) -> None:
    (tmp_path / "grillon.toml").touch()
    missing = tmp_path / "missing.toml"
    if variable:
        monkeypatch.setenv("GRILLON_CONFIG", str(missing))
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        load_settings(None if variable else missing)


def test_later_sources_win_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "model.api_key").write_text("from-credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("GRILLON_MODEL__NAME", "from-variable")
    monkeypatch.setenv("GRILLON_MODEL__API_KEY", "from-variable")
    loaded = load('[model]\nname = "from-file"\nslots = 3\n')
    model = loaded.settings.model
    assert (model.name, model.slots) == ("from-variable", 3)
    assert model.api_key is not None
    assert model.api_key.get_secret_value() == "from-credential"
    came_from = {key: source for key, _, source in loaded.leaves()}
    assert came_from["model", "slots"].endswith("given.toml, line 3")
    assert came_from["model", "name"] == "$GRILLON_MODEL__NAME"
    assert came_from["model", "api_key"] == "credential model.api_key"
    assert came_from["model", "temperature"] == "default"


def test_the_command_line_names_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRILLON_STATE", "/elsewhere")
    assert load_settings().settings.state == Path("/elsewhere")
    loaded = load_settings(state=Path("mine"))
    assert loaded.settings.state == tmp_path / "mine"
    assert loaded.provenance["state",] == "--state"


def test_lists_in_variables_are_json_and_replace_the_file(monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
    monkeypatch.setenv("GRILLON_COLLECTIONS", '[{"name": "notes", "folder": "notes"}]')
    monkeypatch.setenv("GRILLON_MODEL__REMOTE", '["big:cloud"]')
    loaded = load('[[collections]]\nname = "a"\nfolder = "x"\nwatch = false\n')
    (notes,) = loaded.settings.collections
    assert (notes.folder, notes.watch) == (Path.cwd() / "notes", True)
    assert loaded.settings.model.remote == ["big:cloud"]
    came_from = {key: source for key, _, source in loaded.leaves()}
    assert came_from["collections", 0, "name"] == "$GRILLON_COLLECTIONS"
    assert came_from["collections", 0, "watch"] == "default"


def test_broken_json_in_a_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRILLON_COLLECTIONS", '[{"name": ')
    with pytest.raises(SettingsError, match=r"\$GRILLON_COLLECTIONS .*JSON"):
        load_settings()


def test_paths_start_at_the_file(tmp_path: Path, load: Load) -> None:
    loaded = load('state = "state"\n[[collections]]\nname = "a"\nfolder = "docs"\n[socket]\npath = "~/s.sock"\n')
    assert loaded.settings.state == tmp_path / "state"
    assert loaded.settings.collections[0].folder == tmp_path / "docs"
    assert loaded.settings.socket.path == Path.home() / "s.sock"


def test_internal_variables_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRILLON_DEBUG", "GRILLON_FAILPOINT", "GRILLON_TEST_SIZE"):
        monkeypatch.setenv(name, "1")
    assert load_settings().warnings == ()


def test_unknown_variables_and_credentials_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.apikey").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("GRILLON_STAET", "x")
    variable, credential = load_settings().warnings
    assert "$GRILLON_STAET" in variable
    assert "`state`" in variable
    assert "`model.api_key`" in credential


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[model]\n\nnaem = "x"\n', ["given.toml, line 3", "`naem`", "[model]", "did you mean `name`"]),
        ("colections = []\n", ["given.toml, line 1", "did you mean `collections`"]),
        ("[htttp]\nport = 1\n", ["given.toml, line 1", "did you mean `http`"]),
        ('[http]\nport = "many"\n', ["line 2", "`http.port` is 'many'", "integer", "the port it binds"]),
        ("[http]\nport = 99999\n", ["line 2", "99999", "65535"]),
        ('[model]\nprovider = "cloud"\n', ["line 2", "'ollama', 'openai' or 'embedded'"]),
        ("[model]\napi_key = 12345\n", ["line 2", "`model.api_key`", "wrong type"]),
        ('[[collections]]\nname = "a"\n', ["line 1", "`collections[0].folder` is missing", "the folder"]),
        ('[[collections]]\nname = "A b"\nfolder = "x"\n', ["line 2", "'A b'"]),
        ("[model\n", ["given.toml", "not valid TOML", "line 1"]),
        ('[[people]]\nname = "Ada"\n[[people]]\nname = "ada"\n', ["line 4", "'ada'", "its own"]),
        ('[[people]]\nname = "Everyone"\n', ["line 2", "'Everyone'", "taken"]),
        (
            '[[collections]]\nname = "a"\nfolder = "x"\n[[collections]]\nname = "a"\nfolder = "y"\n',
            ["line 5", "two collections", "'a'"],
        ),
        (
            '[[people]]\nname = "Ada"\n[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["Adda"]\n',
            ["line 6", "unknown reader 'Adda'", "did you mean `Ada`"],
        ),
        (
            '[[people]]\nname = "Ada"\nidentities = ["telegram:@ada"]\n',
            ["line 3", "Ada", "'telegram:@ada'", "telegram:ID or discord:ID"],
        ),
        ('[[people]]\nname = "Ada"\nidentities = ["http:7"]\n', ["line 3", "'http:7'"]),
        (
            '[[people]]\nname = "Ada"\nidentities = ["discord:7"]\n[[people]]\nname = "Ben"\nidentities = ["discord:7"]\n',
            ["line 6", "Ada and Ben", "'discord:7'"],
        ),
        ("[limits]\nperson_minute = 0\n", ["line 2", "limits.person_minute"]),
        ('[schedule]\nbackup = "at night"\n', ["line 2", "'at night'", "five fields"]),
        ('[schedule]\nbackup = "0 4 * *"\n', ["line 2", "five fields"]),
        ('[schedule]\nprune = "99 3 * * *"\n', ["line 2", "`schedule.prune`", "'99' is no minute (0 to 59)"]),
        ('[schedule]\ncheck = "0 3 * * 8"\n', ["`schedule.check`", "'8' is no day of the week", "sun to sat"]),
        (
            '[[collections]]\nname = "a"\nfolder = "x"\nschedule = "*/0 * * * *"\n',
            ["line 4", "`collections[0].schedule`", "'*/0' is no minute"],
        ),
        (
            '[[collections]]\nname = "a"\nfolder = "x"\ninclude = ["*.md", "[z-a].md"]\n',
            ["line 4", "`collections[0].include`", "'[z-a].md'", "no glob"],
        ),
        ('[[collections]]\nname = "a"\nfolder = "x"\nexclude = ["[z-a]"]\n', ["line 4", "`collections[0].exclude`"]),
        ("[model]\nanswer_tokens = 8000\n", ["line 2", "8192"]),
        ("[retrieval]\nchunk_overlap = 200\n", ["line 2", "280"]),
        ('[embedding]\naddress = "localhost:11434"\n', ["line 2", "http://"]),
        ('[model]\nkeep_alive = "forever"\n', ["line 2", "`model.keep_alive`", "'forever'", "-1: for ever", "30m"]),
        ('[embedding]\nkeep_alive = "5 m"\n', ["line 2", "`embedding.keep_alive`", "'5 m'"]),
        ('[telegram]\nbase_url = "api.telegram.org"\n', ["line 2", "`telegram.base_url`", "https://host/path"]),
        ('[discord]\napi_base = "discord.com"\n', ["line 2", "`discord.api_base`", "https://discord.com/api/v10"]),
        ('[discord]\ngateway = "https://discord.com"\n', ["line 2", "`discord.gateway`", "wss://"]),
        ('[discord]\nallow_users = ["ada"]\n', ["line 2", "'ada'", "in digits, not a name"]),
        ('[telegram]\nfree_chats = ["@family"]\n', ["line 2", "'@family'", "in digits"]),
        ("[telegram]\nallow_users = [true]\n", ["line 2", "`telegram.allow_users[0]`"]),
        ("[telegram]\ntoken = 12345\n", ["line 2", "`telegram.token`", "wrong type"]),
        ('[telegram]\nmode = "webhook"\n', ["line 1", "webhook_url"]),
        ('[telegram]\ntoken = "1:a"\nmode = "webhook"\nwebhook_url = "https://h/t"\n', ["line 1", "webhook_secret"]),
        (
            '[http]\nenabled = false\n[telegram]\nmode = "webhook"\nwebhook_url = "https://h/t"\n',
            ["line 4", "`http.enabled` is false"],
        ),
        ('[telegram]\nwebhook_secret = "a b"\n', ["line 2", "wrong type", "letters, digits"]),
        ("[discord.budgets]\nchanel_per_5_s = 1\n", ["line 2", "did you mean `channel_per_5_s`"]),
        (
            '[[people]]\nname = "Ada"\nidentities = ["ada@telegram"]\n',
            ["line 3", "'ada@telegram'", "telegram:ID or discord:ID"],
        ),
        (
            '[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["chat:telegram:@family"]\n',
            ["line 4", "unknown reader", "chat:telegram:ID"],
        ),
        (
            '[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["chat:matrix:1"]\n',
            ["line 4", "unknown reader 'chat:matrix:1'"],
        ),
    ],
)
def test_each_mistake_has_its_sentence(load: Load, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(text)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert [word for word in words if word not in sentence] == []
    assert caught.value.exit_code == 2


def test_a_secret_is_never_in_the_sentence(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRILLON_MODEL__API_KEY", "hush-hush")
    with pytest.raises(SettingsError) as caught:
        load('[model]\nslots = "x"\n[embedding]\napi_key = ["hush-hush"]\n')
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__suppress_context__  # pydantic's own error quotes every input
    with pytest.raises(SettingsError, match="wrong type") as caught:
        load('[embedding]\napi_key = ["hush-hush"]\n')
    assert "hush-hush" not in str(caught.value)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRILLON_MODEL__NAEM", "x")
    with pytest.raises(SettingsError, match=r"\$GRILLON_MODEL__NAEM: there is no key `naem`"):
        load_settings()


@pytest.mark.parametrize("line", ["30 3 * * *", "*/15 0-6,22 1 jan mon-fri", "0 4 * * 7"])
def test_cron_lines_that_are_fine(load: Load, line: str) -> None:
    assert load(f'[schedule]\nbackup = "{line}"\n').settings.schedule.backup == line


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("30 3 * * *", ("30", "3", "*", "*", "*")),
        ("*/20 0-2,22 1-10/4 JAN,3 mon-wed", ("0,20,40", "0,1,2,22", "1,5,9", "1,3", "mon,tue,wed")),
        ("0 0 30/1 * *", ("0", "0", "30,31", "*", "*")),
        *((f"0 0 * * {days}", ("0", "0", "*", "*", read)) for days, read in {
            "0": "sun", "7": "sun", "1": "mon", "sun-tue": "sun,mon,tue", "5-7": "fri,sat,sun", "sat-sun": "sat,sun",
            "*/3": "sun,wed,sat", "0-0": "sun", "0,7": "sun",
        }.items()),
    ],
)  # fmt: skip
def test_cron_lines_are_read_as_cron_reads_them(line: str, read: tuple[str, ...]) -> None:
    assert cron_fields(line) == read


@pytest.mark.parametrize(
    "line",
    [*(f"{minute} 0 * * *" for minute in ("60", "*/60", "5-1", "1-", "", ",", "x", "mon", "-1", "001", "٣", "1/0")),
     "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 0 *", "0 0 * 13 *", "0 0 * sun *", "0 0 * * jan", "0 0 * * 5-1", "@daily"],
)  # fmt: skip
def test_cron_lines_that_say_nothing(line: str) -> None:
    with pytest.raises(ValueError, match=r"is no |five fields"):
        cron_fields(line)


@pytest.mark.parametrize("text", ["-1", "0", "300", "+5m", "1h30m", "1.5h", "500ms", "-1s"])
def test_times_in_memory_that_are_fine(load: Load, text: str) -> None:
    assert load(f'[model]\nkeep_alive = "{text}"\n').settings.model.keep_alive == text


@pytest.mark.parametrize("text", ["", "m", "1.5", "5d", "1h30", "5m ", "-", "nan", "1_000", "1e3", "٣"])
def test_times_in_memory_that_ollama_refuses(load: Load, text: str) -> None:
    with pytest.raises(SettingsError, match="keep_alive"):
        load(f'[model]\nkeep_alive = "{text}"\n')


@pytest.mark.parametrize("reader", ["everyone", "discord-role:123", "chat:telegram:-100"])
def test_readers_that_are_fine(load: Load, reader: str) -> None:
    loaded = load(f'[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["{reader}"]\n')
    assert loaded.settings.collections[0].readers == [reader]


def test_ids_may_be_numbers(load: Load) -> None:
    settings = load('[telegram]\nallow_users = [5000001, "5000002"]\nallow_chats = [-1001900000001]\n').settings
    assert settings.telegram.allow_users == ["5000001", "5000002"]
    assert settings.telegram.allow_chats == ["-1001900000001"]


def test_tokens_come_as_credentials_and_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name in ("telegram.token", "discord.token", "telegram.webhook_secret"):
        (credentials / name).write_text(f"{name}-hush\n")
    (credentials / "telegram.webhook_secret").write_text("hush\n")
    webhook = '[telegram]\nmode = "webhook"\nwebhook_url = "https://h/t"\n'
    assert load(webhook).settings.telegram.webhook_secret is None  # as a person sees it, to whom the credentials are closed
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    loaded = load(webhook)
    assert loaded.settings.telegram.token is not None
    assert loaded.settings.telegram.token.get_secret_value() == "telegram.token-hush"
    assert loaded.settings.discord.token is not None
    assert "hush" not in repr(list(loaded.leaves()))
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[telegram]\n[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["chat:telegram:-100"]\n',
            ["line 5", "'chat:telegram:-100'", "under [telegram]"],
        ),
        (
            '[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["everyone", "discord-role:7"]\n',
            ["line 4", "'discord-role:7'", "under [discord]"],
        ),
        ('[discord]\ntoken = "x"\nfree_chats = [7]\n', ["line 3", "`discord.message_content = true`"]),
    ],
)
def test_what_does_nothing_is_warned_of(load: Load, text: str, words: list[str]) -> None:
    (warning,) = load(text).warnings
    assert [word for word in words if word not in warning] == []


def test_what_does_something_is_not_warned_of(load: Load) -> None:
    read = '[[collections]]\nname = "a"\nfolder = "x"\nreaders = ["discord-role:7", "chat:discord:8"]\n'
    assert load(f'{read}[discord]\ntoken = "x"\n').warnings == ()
    assert load(f"{read}[discord]\nmessage_content = true\nfree_chats = [8]\n").warnings == ()


def nested(outer: str, inner: str) -> str:
    return (
        f'[[people]]\nname = "Ada"\n[[collections]]\nname = "house"\nfolder = "docs"\n{outer}\n'
        f'[[collections]]\nname = "letters"\nfolder = "docs/ada/../ada/letters"\n{inner}\n'
    )


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ('readers = ["everyone"]', 'readers = ["Ada"]'),
        ('readers = ["everyone"]', ""),
        ('readers = ["chat:discord:7", "Ada"]', ""),
    ],
)
def test_private_documents_in_the_folder_of_others_are_warned_of(load: Load, outer: str, inner: str) -> None:
    warning = next(one for one in load(nested(outer, inner)).warnings if "nobody comes in" not in one)
    assert "line 5" in warning
    assert "the folder of letters is in that of house" in warning
    assert '`exclude = ["ada/letters/"]`' in warning


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ('readers = ["everyone"]', 'readers = ["everyone"]'),
        ('readers = ["Ada"]', 'readers = ["everyone"]'),
        ('readers = ["Ada"]', 'readers = ["Ada"]'),
        ('readers = ["everyone"]\nexclude = ["ada/letters/"]', ""),
        ('readers = ["everyone"]\nexclude = ["ada/"]', ""),
        ('readers = ["everyone"]\nexclude = ["**/letters/**"]', ""),
        ('readers = ["everyone"]\ninclude = ["shared/**"]', ""),
        ('readers = ["everyone"]\ninclude = ["*.md"]', ""),
    ],
)
def test_documents_that_no_others_find_are_not_warned_of(load: Load, outer: str, inner: str) -> None:
    assert load(nested(outer, inner)).warnings == ()


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content or b"")
    if content is None:
        file.unlink()
        file.symlink_to("/proc/self/mem")
    with pytest.raises(SettingsError, match=r"bad\.toml"):
        load_settings(file)


def test_the_socket_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home = Settings(state=tmp_path)
    assert socket_path(at_home) == tmp_path / "grillon.sock"
    assert daemon_sockets(at_home) == (tmp_path / "grillon.sock",)
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/grillon")
    assert socket_path(at_home) == Path("/run/grillon/grillon.sock")
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    installed = daemon_sockets(Settings(state=Path("/var/lib/grillon")))
    assert installed[-1] == Path("/run/grillon/grillon.sock")


def test_a_socket_path_beyond_the_kernel_is_an_error(tmp_path: Path) -> None:
    fits = tmp_path / ("x" * (107 - len(str(tmp_path)) - 1))
    assert socket_path(Settings.model_validate({"socket": {"path": fits}})) == fits
    with pytest.raises(SettingsError, match="107 bytes"):
        socket_path(Settings.model_validate({"socket": {"path": str(fits) + "x"}}))
