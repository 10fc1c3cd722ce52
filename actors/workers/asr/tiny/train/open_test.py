# mypy: ignore-errors
"""Sentences outside the templates: make data/open_*.wav, or (with a model) decode them."""
import sys
import wave

S = """我们公司明天上午开会 请把门关上 他昨天买了一本书 老师让我们写作业 这个问题很难回答 我在图书馆看书 你能不能帮我找一下手机 火车晚点了半个小时 医生说要多休息 今年夏天特别热
这家饭店的菜很好吃 我家有一只小狗 孩子们在公园里玩 请问洗手间在哪里 妹妹正在学习钢琴 飞机什么时候起飞 我的电脑坏了 中国有很多历史文化名城 他是一名工程师 会议改到下星期三
房间里太暗了请开灯 小智把温度调高两度 客厅有人吗 帮我查一下快递到哪里了 打开书房的灯和空调 半小时以后把电视关掉 我想知道明天要不要穿外套 给我推荐一首安静的歌 屋里有点闷打开窗户 晚上十点提醒我关门""".split()

if len(sys.argv) < 2:
    import numpy as np
    from synth import Espeak, resample
    e = Espeak()
    for i, s in enumerate(S):                    # hanzi straight to espeak: no pinyin of ours involved
        x, _ = e.say(s)
        y = np.concatenate([np.zeros(3200), resample(x, e.sr), np.zeros(9600)]).round().clip(-32768, 32767)
        with wave.open("data/open_%02d.wav" % i, "wb") as w:
            w.setparams((1, 2, 16000, 0, "NONE", ""))
            w.writeframes(y.astype("<i2").tobytes())
else:
    import json
    import vosk
    vosk.SetLogLevel(-1)

    def distance(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            prev, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                prev, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, prev + (x != y))
        return row[-1]

    m = vosk.Model(sys.argv[1])
    err = n = ok = 0
    for i, s in enumerate(S):
        with wave.open("data/open_%02d.wav" % i) as w:
            raw = w.readframes(w.getnframes())
        r = vosk.KaldiRecognizer(m, 16000)
        r.AcceptWaveform(raw)
        h = json.loads(r.FinalResult())["text"].replace(" ", "")
        d = distance(s, h)
        err, n, ok = err + d, n + len(s), ok + (d == 0)
        if d:
            print("%s>%s" % (s, h), end=" | ")
    print("\nopen sentences %d, right %d, CER %.1f %%" % (len(S), ok, 100 * err / n))
