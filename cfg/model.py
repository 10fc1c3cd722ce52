"""The settings: one immutable typed model, with a default for everything.

Pure data. Reading the file and the environment is `cfg.loading`; nobody else
reads either. Units are in the names. Every field's description is what the
commented default file shows to the operator.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """Base of every section: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(Section):
    """Where devices and browsers connect, and the limits at the door."""

    host: str = Field("0.0.0.0", description="address that the device and HTTP ports listen on")
    device_port: int = Field(8000, ge=1, le=65535, description="WebSocket port for devices")
    http_port: int = Field(8003, ge=1, le=65535, description="HTTP port: OTA, health, status")
    public_websocket_url: str = Field(
        "", description="address told to devices; empty: worked out from the request"
    )
    websocket_version: Literal[1, 2, 3] = Field(
        1, description="binary framing that the OTA reply asks devices to use"
    )
    tokens: tuple[SecretStr, ...] = Field(
        (), description="accepted bearer tokens; empty: every device is let in"
    )
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"), description="proxies whose X-Forwarded-* headers are believed"
    )
    max_sessions: int = Field(200, ge=1, le=2000, description="devices connected at once")
    spare_sessions: int = Field(2, ge=0, le=50, description="session processes kept ready")
    max_pending_handshakes: int = Field(64, ge=1, le=1024)
    max_pending_per_address: int = Field(16, ge=1, le=1024)
    handshake_timeout_s: float = Field(5.0, gt=0, le=60)
    max_message_bytes: int = Field(65536, ge=4096, le=1048576)
    hello_timeout_s: float = Field(10.0, gt=0, le=60, description="first hello must come within")
    drain_timeout_s: float = Field(2.0, ge=0, le=600, description="turns may finish at shutdown")


class Downlink(Section):
    """Audio to the device."""

    sample_rate_hz: Literal[16000, 24000] = 24000
    frame_ms: Literal[20, 40, 60] = 60
    lead_frames: int = Field(
        3,
        ge=1,
        le=5,
        description="frames sent ahead of playback: what a late wake-up costs is heard below; "
        "ESP32-C3 boards want 2, above 5 old firmware loses audio",
    )
    stop_margin_ms: int = Field(
        240, ge=0, le=1000, description="tts stop is sent this long after the last frame was played"
    )
    max_text_chars: int = Field(250, ge=20, le=1000, description="longest text sent for the screen")
    opus_bitrate: int = Field(24000, ge=8000, le=64000)
    opus_complexity: int = Field(
        1, ge=0, le=10, description="effort of the encoder: 5 costs twice as much CPU as 1"
    )


class Listening(Section):
    """Audio from the device: voice activity and the end of an utterance."""

    vad_threshold: float = Field(0.5, gt=0, lt=1, description="Silero probability taken as speech")
    gate_db: float = Field(
        6.0, ge=0, le=30, description="dB above the noise floor that wakes the model"
    )
    preroll_ms: int = Field(360, ge=300, le=2000, description="audio kept from before the onset")
    min_speech_ms: int = Field(90, ge=30, le=1000, description="shorter sounds are no utterance")
    endpoint_complete_ms: int = Field(
        190, ge=100, le=3000, description="silence after a complete sentence"
    )
    endpoint_unsure_ms: int = Field(
        500, ge=100, le=5000, description="silence when it is not clear"
    )
    endpoint_incomplete_ms: int = Field(
        1400, ge=100, le=10000, description="silence after an unfinished one"
    )
    adaptive: bool = Field(True, description="follow the user's own pauses between these limits")
    max_utterance_s: float = Field(30.0, gt=1, le=120)
    late_frames_ms: int = Field(200, ge=0, le=1000, description="audio accepted after listen stop")
    barge_in: bool = Field(True, description="in realtime mode speech interrupts the answer")
    barge_in_ms: int = Field(240, ge=60, le=2000, description="speech needed to interrupt")


class Dialogue(Section):
    """What is said, and for how long the server waits for words."""

    language: Literal["zh", "en"] = "zh"
    system_prompt: str = (
        "你是小智，一个友好的语音助手。回答会被读出来：用口语，简短，不用列表和表情符号。"
    )
    history_turns: int = Field(
        10, ge=0, le=100, description="turns of the dialogue sent to the model"
    )
    max_clauses: int = Field(60, ge=1, le=500, description="an answer is cut after so many clauses")
    wake_words: tuple[str, ...] = (
        "你好小智",
        "小智小智",
        "你好小明",
        "嗨小智",
        "hi xiaozhi",
        "hello xiaozhi",
    )
    wake_greeting: str = Field("我在。", description="said after a wake word; empty: silence")
    exit_phrases: tuple[str, ...] = ("再见", "拜拜", "退出", "goodbye", "bye bye")
    goodbye: str = Field("再见，需要我的时候再叫我。", description="said before an idle close")
    apology: str = Field(
        "不好意思，刚才出了点问题，请再说一遍。", description="said when a turn failed"
    )
    not_understood: str = Field(
        "没听清，请再说一遍。", description="said in manual mode when nothing was understood"
    )
    busy: str = Field("现在有点忙，请稍等一下再说。", description="said when nobody can serve")
    filler_after_ms: int = Field(
        2500,
        ge=0,
        le=60000,
        description="an answer that takes longer is announced by a filler of the phrase bank; 0: never",
    )
    idle_close_s: float = Field(120.0, ge=5, le=3600, description="no speech for so long: goodbye")


class Deadlines(Section):
    """How long one hop of a turn may take before the turn goes on without it."""

    lease_ms: int = Field(1000, ge=50, le=60000)
    final_text_ms: int = Field(3000, ge=100, le=60000)
    first_clause_ms: int = Field(8000, ge=100, le=120000)
    next_clause_ms: int = Field(8000, ge=100, le=120000)
    first_audio_ms: int = Field(5000, ge=100, le=60000)
    next_audio_ms: int = Field(4000, ge=100, le=60000)
    turn_s: float = Field(120.0, ge=5, le=600)


class Engine(Section):
    """What every engine has: a name, a share of the work, and its size."""

    name: str = Field("", description="unique among engines of a kind; empty: the kind")
    weight: int = Field(100, ge=0, le=1000, description="share of the work; 0: only as a fallback")
    workers: int = Field(1, ge=1, le=16, description="processes")
    slots: int = Field(4, ge=1, le=256, description="jobs at once in each process")


class Remote(Engine):
    """An engine behind an HTTP API."""

    api_key: SecretStr = SecretStr("")
    connect_timeout_s: float = Field(3.0, gt=0, le=60)
    read_timeout_s: float = Field(10.0, gt=0, le=300)


class VoskAsr(Engine):
    kind: Literal["vosk"] = "vosk"
    model: str = Field(
        "auto",
        description="'auto': the small Chinese model if it was fetched, else the tiny one; 'tiny'; or a folder",
    )
    fetch: bool = Field(
        True, description="with 'auto': fetch the small Chinese model at the first start"
    )
    slots: int = Field(64, ge=1, le=256)


class OpenAiAsr(Remote):
    kind: Literal["openai"]
    base_url: str
    model: str = "whisper-1"


class RulesLlm(Engine):
    kind: Literal["rules"] = "rules"
    slots: int = Field(64, ge=1, le=256)


class OllamaLlm(Remote):
    kind: Literal["ollama"]
    base_url: str = "http://127.0.0.1:11434"
    model: str = "qwen2.5:1.5b"
    slots: int = Field(2, ge=1, le=64)
    keep_alive: str = Field("-1", description="how long the server keeps the model loaded")
    temperature: float = Field(0.7, ge=0, le=2)
    max_tokens: int = Field(300, ge=16, le=4096)


class OpenAiLlm(Remote):
    kind: Literal["openai"]
    base_url: str
    model: str
    temperature: float = Field(0.7, ge=0, le=2)
    max_tokens: int = Field(300, ge=16, le=4096)


class EspeakTts(Engine):
    kind: Literal["espeak"] = "espeak"
    voice: str = "cmn"
    words_per_minute: int = Field(190, ge=80, le=450)
    pitch: int = Field(50, ge=0, le=99)
    slots: int = Field(64, ge=1, le=256)


class EdgeTts(Engine):
    kind: Literal["edge"]
    voice: str = "zh-CN-XiaoxiaoNeural"
    rate: str = Field("+0%", pattern=r"^[+-]\d{1,3}%$")
    slots: int = Field(4, ge=1, le=64)
    service_url: str = Field(
        "", description="another service speaking the same protocol; must contain '?'"
    )
    connect_timeout_s: float = Field(3.0, gt=0, le=60)
    read_timeout_s: float = Field(10.0, gt=0, le=60)


class OpenAiTts(Remote):
    kind: Literal["openai"]
    base_url: str
    model: str = "tts-1"
    voice: str = "alloy"
    pcm_rate_hz: int = Field(
        24000, ge=8000, le=48000, description="rate of the service's pcm format"
    )


AsrSettings = Annotated[VoskAsr | OpenAiAsr, Field(discriminator="kind")]
LlmSettings = Annotated[RulesLlm | OllamaLlm | OpenAiLlm, Field(discriminator="kind")]
TtsSettings = Annotated[EspeakTts | EdgeTts | OpenAiTts, Field(discriminator="kind")]


class AnswerCache(Section):
    """Answers that were given before: said at once, without asking a model."""

    enabled: bool = True
    entries: int = Field(50_000, ge=0, le=1_000_000, description="answers kept at most")
    ttl_s: int = Field(7200, ge=1, le=604800, description="an answer is forgotten after")
    embedder: str = Field(
        "auto",
        description="'auto': bge-small-zh-v1.5 where sentence-transformers and its weights are "
        "there, else hashed n-grams; 'hashed'; or a model's name or folder",
    )
    threshold: float = Field(
        0.0, ge=0, le=1, description="cosine that a candidate needs; 0: the embedder's own"
    )
    ask_ms: int = Field(20, ge=1, le=1000, description="a turn waits so long for the cache")
    together_ms: int = Field(
        3000, ge=0, le=60000, description="and so long for a model that is asked the same already"
    )
    never: tuple[str, ...] = Field((), description="questions with these words are never kept")
    always: tuple[str, ...] = Field((), description="and with these always, whatever they ask")


class SoundCache(Section):
    """Speech that was made before: sent at once, without asking a voice."""

    enabled: bool = True
    disk_mb: int = Field(1024, ge=0, le=1_000_000, description="on disk; 0: in memory only")
    memory_mb: int = Field(64, ge=1, le=16384, description="of it in memory")
    ttl_s: int = Field(14400, ge=1, le=604800, description="speech is forgotten after")
    redis_mb: int = Field(0, ge=0, le=128, description="shared through Redis; 0: not")
    ask_ms: int = Field(20, ge=1, le=1000, description="a clause waits so long for the cache")
    together_ms: int = Field(
        1500, ge=0, le=60000, description="and so long for a voice that speaks the same already"
    )


class Redis(Section):
    """What instances share. Without it each keeps its own."""

    url: SecretStr = Field(
        SecretStr(""), description="such as redis://127.0.0.1:6379/0; empty: none is used"
    )
    prefix: str = Field("xiaozhi:", description="every key starts with this")
    timeout_ms: int = Field(500, ge=5, le=10000, description="one request may take so long")


class Storage(Section):
    """What is kept on disk."""

    folder: str = Field(
        "", description="where caches live; empty: var/cache in the program's folder"
    )
    phrases: str = Field(
        "", description="file of the phrase bank; empty: cfg/phrases.toml, which comes along"
    )


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Settings(Section):
    """Everything. Embedded parts by default: nothing outside this host is needed."""

    server: Server = Server()
    downlink: Downlink = Downlink()
    listening: Listening = Listening()
    dialogue: Dialogue = Dialogue()
    deadlines: Deadlines = Deadlines()
    asr: tuple[AsrSettings, ...] = Field((VoskAsr(),), min_length=1)
    llm: tuple[LlmSettings, ...] = Field((RulesLlm(),), min_length=1)
    tts: tuple[TtsSettings, ...] = Field((EspeakTts(),), min_length=1)
    answer_cache: AnswerCache = AnswerCache()
    sound_cache: SoundCache = SoundCache()
    redis: Redis = Redis()
    storage: Storage = Storage()
    log: Log = Log()
