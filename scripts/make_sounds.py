"""Make the built-in prompts: text by espeak-ng, tones and hold music by arithmetic, to Opus.

Run it after changing a text (`prompt_texts.py`) or a tone, and commit what it writes (the
program that answers calls needs no espeak-ng); names after it make only those. It writes the
tables of docs/prompts.md too:

    apt-get install espeak-ng && .venv/bin/python scripts/make_sounds.py
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import NamedTuple

import av
from av.audio.resampler import AudioResampler
from prompt_texts import PROMPTS, WORDS

from vpbx.media.speech import PITCH, VOICES

RATE = 16000
SPEECH_BIT_RATE = 8000
TARGET = Path(__file__).parent.parent / "src/vpbx/media/sounds"

DOCS = Path(__file__).parent.parent / "docs/prompts.md"
# Name: frequency in Hz, then (seconds on, seconds off) as often as said.
# ITU-T E.180: ringback and busy as heard in Russia and most of Europe.
TONES: dict[str, tuple[float, tuple[tuple[float, float], ...]]] = {
    "ringback": (425, ((1.0, 4.0),)),
    "busy": (425, ((0.35, 0.35),) * 5),
    "beep": (1000, ((0.3, 0.1),)),
}


class Tune(NamedTuple):
    """Music that ends as it begins: a bar each chord, its notes plucked in the same order."""

    chords: tuple[tuple[float, float, float, float], ...]
    bar_s: float
    order: tuple[tuple[int, int], ...]
    """Note of the chord and how often its frequency, a step of the bar each; 0: a rest."""
    ring_s: float
    decay: float
    attack_s: float
    overtones: tuple[tuple[int, float], ...]
    level: float


C_E_G_B = (261.63, 329.63, 392.00, 493.88)
A_C_E_G = (220.00, 261.63, 329.63, 392.00)
F_A_C_E = (174.61, 220.00, 261.63, 329.63)
G_B_D_F = (196.00, 246.94, 293.66, 349.23)
D_F_A_C = (146.83, 220.00, 261.63, 349.23)
G_D_G_B = (196.00, 293.66, 392.00, 493.88)
C_G_C_E = (261.63, 392.00, 523.25, 659.26)
# The built-in music of the directory (`sounds.py` there), by the same names.
TUNES = {
    "holdmusic": Tune(
        chords=(C_E_G_B, A_C_E_G, F_A_C_E, G_B_D_F),
        bar_s=3.2,
        order=((0, 1), (1, 1), (2, 1), (3, 1), (2, 1), (3, 2), (1, 1), (2, 1)),
        ring_s=1.6,
        decay=2.6,
        attack_s=0.01,
        overtones=((2, 0.3),),
        level=0.24,
    ),
    "calm": Tune(
        chords=(F_A_C_E, D_F_A_C, G_B_D_F, C_E_G_B),
        bar_s=4.0,
        order=((0, 1), (2, 1), (1, 1), (3, 1)),
        ring_s=4.0,
        decay=0.9,
        attack_s=0.25,
        overtones=((2, 0.15), (3, 0.05)),
        level=0.265,
    ),
    "bright": Tune(
        chords=(C_G_C_E, G_D_G_B, A_C_E_G, F_A_C_E),
        bar_s=2.4,
        order=((0, 1), (2, 1), (3, 1), (2, 1), (1, 2), (3, 1), (2, 1), (0, 0)),
        ring_s=0.9,
        decay=6.0,
        attack_s=0.004,
        overtones=((2, 0.2), (4, 0.25)),
        level=0.32,
    ),
}


def tone(frequency: float, bursts: tuple[tuple[float, float], ...]) -> array[int]:
    sound = array("h")
    for on, off in bursts:
        count = int(on * RATE)
        ramp = RATE // 200  # 5 ms, so that it does not click
        for n in range(count):
            level = 0.25 * min(1.0, n / ramp, (count - n) / ramp)
            sound.append(int(32767 * level * math.sin(2 * math.pi * frequency * n / RATE)))
        sound.extend([0] * int(off * RATE))
    return sound


def music(tune: Tune) -> array[int]:
    total = int(tune.bar_s * len(tune.chords) * RATE)
    mixed = [0.0] * total
    for bar, chord in enumerate(tune.chords):
        for step, (note, times) in enumerate(tune.order):
            turn = 2 * math.pi * chord[note] * times
            start = int((bar + step / len(tune.order)) * tune.bar_s * RATE)
            for n in range(int(tune.ring_s * RATE) if times else 0):
                at = n / RATE
                fade = min(1.0, at / tune.attack_s, (tune.ring_s - at) / 0.02)
                wave = math.sin(turn * at)
                wave += sum(part * math.sin(turn * k * at) for k, part in tune.overtones)
                mixed[(start + n) % total] += tune.level * fade * math.exp(-tune.decay * at) * wave
    return array("h", (int(32767 * value) for value in mixed))


def speech(language: str, text: str, *, word: bool = False) -> array[int]:
    """Return `text` as said by the one voice; a word has no pauses around it but a breath."""
    voice, speed = VOICES[language].name, str(VOICES[language].words_a_minute)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice, "-s", speed, "-p", str(PITCH), "-w", str(wav), text]
        subprocess.run(command, check=True)
        sound = array("h")
        resampler = AudioResampler("s16", "mono", RATE)
        with av.open(str(wav)) as container:
            for frame in [*container.decode(audio=0), None]:
                for piece in resampler.resample(frame):
                    sound.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
    loudest = max(map(abs, sound))
    loud = [n for n, value in enumerate(sound) if abs(value) > loudest / 100]
    sound = sound[loud[0] : loud[-1]]
    before, after = (0.02, 0.07) if word else (0.25, 0.25)
    return (
        array("h", [0] * int(RATE * before))
        + array("h", (int(value * 20000 / loudest) for value in sound))
        + array("h", [0] * int(RATE * after))
    )


def write(sound: array[int], target: Path, bit_rate: int = 20000) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = bit_rate
        stream.options = {"frame_duration": "60"}
        frame = av.AudioFrame("s16", "mono", len(sound))
        frame.sample_rate = RATE
        frame.planes[0].update(sound.tobytes())
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    print(f"{target.relative_to(TARGET)}: {target.stat().st_size} bytes", file=sys.stderr)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [heads, ("---",) * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def write_docs() -> None:
    """Renew what stands in the docs between the two marks."""
    rows = [(f"`{name}`", p.en, p.ru, p.heard) for name, p in PROMPTS.items()]
    lines = [*table(("name", "English", "Russian", "heard"), rows), ""]
    names = list(dict.fromkeys(name for words in WORDS.values() for name in words))
    words = [(f"`{name}`", WORDS["en"].get(name, ""), WORDS["ru"].get(name, "")) for name in names]
    lines += table(("word", "English", "Russian"), words)
    before, mark, rest = DOCS.read_text().partition("<!-- texts -->\n")
    after = rest.partition("<!-- end of texts -->")[2]
    text = "\n".join(lines)
    DOCS.write_text(f"{before}{mark}\n{text}\n\n<!-- end of texts -->{after}")


def main(only: list[str]) -> None:
    def wanted(name: str) -> bool:
        return not only or name in only

    for language in VOICES:
        folder = TARGET / language
        for name, prompt in PROMPTS.items():
            if wanted(name):
                text = prompt.en if language == "en" else prompt.ru
                write(speech(language, text), folder / f"{name}.opus", SPEECH_BIT_RATE)
        for name, word in WORDS[language].items():
            if wanted(name):
                sound = speech(language, word, word=True)
                write(sound, folder / f"{name}.opus", SPEECH_BIT_RATE)
    for name, (frequency, bursts) in TONES.items():
        if wanted(name):
            write(tone(frequency, bursts), TARGET / "en" / f"{name}.opus")
    for name, tune in TUNES.items():
        if wanted(name):
            write(music(tune), TARGET / "en" / f"{name}.opus")
    write_docs()


if __name__ == "__main__":
    main(sys.argv[1:])
