"""Make the built-in prompts: text by espeak-ng, tones and hold music by arithmetic, to Opus.

Run it after changing a text or a tone, and commit what it writes (the program that answers
calls needs no espeak-ng):

    apt-get install espeak-ng && .venv/bin/python scripts/make_sounds.py
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

RATE = 16000
TARGET = Path(__file__).parent.parent / "src/vpbx/media/sounds"

VOICES = {"en": ("en-us", "150"), "ru": ("ru", "145")}
TEXTS = {
    "not_available": {
        "en": "The person you are calling is not available. Please call again later.",
        "ru": "Абонент сейчас недоступен. Пожалуйста, перезвоните позже.",
    },
    "not_allowed": {
        "en": "You are not allowed to call this number.",
        "ru": "Звонки на этот номер вам запрещены.",
    },
    "not_found": {
        "en": "This number does not exist. Please check it and call again.",
        "ru": "Набранный номер не существует. Проверьте номер и перезвоните.",
    },
}
# Name: frequency in Hz, then (seconds on, seconds off) as often as said.
# ITU-T E.180: ringback and busy as heard in Russia and most of Europe.
TONES: dict[str, tuple[float, tuple[tuple[float, float], ...]]] = {
    "ringback": (425, ((1.0, 4.0),)),
    "busy": (425, ((0.35, 0.35),) * 5),
    "beep": (1000, ((0.3, 0.1),)),
}
# Hold music: quiet plucked chords, four bars that end as they begin.
CHORDS = (
    (261.63, 329.63, 392.00, 493.88),
    (220.00, 261.63, 329.63, 392.00),
    (174.61, 220.00, 261.63, 329.63),
    (196.00, 246.94, 293.66, 349.23),
)
BAR_S, NOTE_S = 3.2, 0.4


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


def music() -> array[int]:
    total = int(BAR_S * len(CHORDS) * RATE)
    mixed = [0.0] * total
    for bar, chord in enumerate(CHORDS):
        for step in range(int(BAR_S / NOTE_S)):
            frequency = chord[(0, 1, 2, 3, 2, 3, 1, 2)[step % 8]] * (2 if step == 5 else 1)
            start = int((bar * BAR_S + step * NOTE_S) * RATE)
            for n in range(int(1.6 * RATE)):
                at = n / RATE
                decay = math.exp(-2.6 * at) * min(1.0, at / 0.01)
                wave = math.sin(2 * math.pi * frequency * at)
                wave += 0.3 * math.sin(4 * math.pi * frequency * at)
                mixed[(start + n) % total] += 0.09 * decay * wave
    return array("h", (int(32767 * value) for value in mixed))


def speech(language: str, text: str) -> array[int]:
    voice, speed = VOICES[language]
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice, "-s", speed, "-p", "40", "-w", str(wav), text]
        subprocess.run(command, check=True)
        sound = array("h")
        resampler = AudioResampler("s16", "mono", RATE)
        with av.open(str(wav)) as container:
            for frame in [*container.decode(audio=0), None]:
                for piece in resampler.resample(frame):
                    sound.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
    loudest = max(map(abs, sound))
    silence = array("h", [0] * (RATE // 4))
    return silence + array("h", (int(value * 20000 / loudest) for value in sound)) + silence


def write(sound: array[int], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = 20000
        frame = av.AudioFrame("s16", "mono", len(sound))
        frame.sample_rate = RATE
        frame.planes[0].update(sound.tobytes())
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    print(f"{target.relative_to(TARGET)}: {target.stat().st_size} bytes", file=sys.stderr)


def main() -> None:
    for language in VOICES:
        for name, texts in TEXTS.items():
            write(speech(language, texts[language]), TARGET / language / f"{name}.opus")
    for name, (frequency, bursts) in TONES.items():
        write(tone(frequency, bursts), TARGET / "en" / f"{name}.opus")
    write(music(), TARGET / "en" / "hold.opus")


if __name__ == "__main__":
    main()
