# mypy: ignore-errors
"""Sentences, word segmentation, pinyin lexicon and the train / held-out split."""
import functools
import itertools
import random
import re

SINGLE = """
你好 你好啊 您好 早上好 上午好 中午好 下午好 晚上好 晚安 早安 再见 拜拜 明天见 回头见 下次再聊 谢谢 谢谢你 非常感谢 不客气 对不起 没关系
好的 好 好呀 可以 可以的 不可以 行 不行 是的 是 不是 对 不对 没错 错了 没有 有 要 不要 不用 不用了 算了 取消 确定 确认 继续 停止 停 暂停 开始 重新开始 等一下 稍等一下
知道了 我知道了 明白了 我明白了 我不知道 我听不懂 你说什么 请再说一遍 再说一遍 说慢一点 大声一点 小声一点 声音大一点 声音小一点 太吵了 太小声了
你是谁 你叫什么名字 你几岁了 你会做什么 你能做什么 你有什么功能 你在哪里 你在干什么 你在吗 你听得到吗 你能听见我说话吗 你喜欢什么 你喜欢我吗 你吃饭了吗 你是男的还是女的 你是机器人吗 你是人工智能吗 你会唱歌吗 你会跳舞吗 你会讲笑话吗 你会说英语吗 你真聪明 你真棒 你太厉害了 你真可爱 你好笨 我喜欢你 我爱你 我想你了
今天心情怎么样 我今天很开心 我很高兴 我很难过 我有点累 我好无聊 我饿了 我渴了 我困了 我想睡觉 我要睡觉了 我睡不着 我回来了 我出门了 我下班了 我要去上班 我生病了 我头疼 我肚子疼 陪我聊聊天 我们聊天吧 跟我说说话 安慰我一下 夸夸我
现在几点了 现在几点 几点了 今天几号 今天星期几 今天是几月几号 今天是什么日子 明天是星期几 现在是什么时间 今天是什么节日 还有几天过年 今年是哪一年
今天天气怎么样 明天天气怎么样 后天会下雨吗 今天会下雨吗 明天会下雪吗 今天冷不冷 外面热不热 今天需要带伞吗 今天温度多少 现在气温多少度 今天空气质量怎么样 周末天气好吗 明天适合出门吗 今天穿什么衣服
讲个笑话 给我讲个笑话 再讲一个 再来一个 讲个故事 给我讲个故事 讲一个睡前故事 给孩子讲个故事 讲一个童话故事 讲个鬼故事 说个绕口令 背一首古诗 念一首唐诗 出个谜语 猜个谜语 我们玩游戏吧 我们来玩成语接龙 来个脑筋急转弯
播放音乐 放首歌 放一首歌 来一首歌 来点音乐 我想听歌 我要听音乐 唱首歌 给我唱首歌 下一首 上一首 换一首 换一首歌 暂停播放 继续播放 停止播放 单曲循环 随机播放 这首歌叫什么 这是谁唱的 收藏这首歌 播放新闻 播放广播 听新闻 有什么新闻 今天有什么新闻 播放轻音乐 播放儿歌 播放白噪音 播放雨声
音量调大 音量调小 声音调大一点 声音调小一点 调高音量 调低音量 静音 取消静音 音量最大 音量最小 把声音关小一点 把音量调大一点
关机 重启 打开设置 打开蓝牙 关闭蓝牙 连接网络 检查更新 退出 返回 回到主页 帮我拍照 拍张照片 拍照 打开摄像头 关闭摄像头 看看这是什么 这是什么东西 现在电量多少 还有多少电
打开所有的灯 关闭所有的灯 开灯 关灯 把灯打开 把灯关掉 把灯调亮一点 把灯调暗一点 灯太亮了 灯太暗了 太热了 太冷了 有点冷 有点热 打开空调 关闭空调 空调开到最低 打开电视 关闭电视 打开窗帘 拉上窗帘 打开风扇 关闭风扇 打开扫地机器人 开始扫地 打开加湿器 关掉加湿器 打开热水器 我要看电视 我要看电影 锁上门 门锁好了吗
帮我定个闹钟 取消闹钟 删除闹钟 关闭闹钟 我有哪些闹钟 明天叫我起床 提醒我喝水 提醒我吃药 提醒我开会 帮我记一下 添加日程 查看日程 今天有什么安排 明天有什么安排 取消提醒 还剩多少时间
给妈妈打电话 给爸爸打电话 打电话给老板 发消息给妈妈 接电话 挂断电话 附近有什么好吃的 附近有医院吗 怎么去火车站 我要去机场 回家要多长时间 路上堵车吗 今天吃什么 晚上吃什么 推荐一部电影 推荐一本书 红烧肉怎么做 西红柿炒鸡蛋怎么做 点一份外卖 帮我买菜
世界上最高的山是什么 中国的首都是哪里 地球离月亮有多远 太阳为什么会发光 天空为什么是蓝色的 谁发明了电灯 长城有多长 一年有多少天 一天有多少小时 恐龙为什么会灭绝 大象有多重 什么是人工智能
床前明月光 疑是地上霜 举头望明月 低头思故乡 春眠不觉晓 处处闻啼鸟 白日依山尽 黄河入海流 红豆生南国 欲穷千里目 更上一层楼 锄禾日当午 谁知盘中餐 粒粒皆辛苦
你喜欢听音乐吗 你可以帮我一个忙吗 我想学英语 苹果用英语怎么说 帮我翻译一下 你觉得我怎么样 今天过得怎么样 祝我生日快乐 生日快乐 新年快乐 恭喜发财 万事如意 身体健康 一路平安 加油 真好玩 太好了 太棒了 好极了 不错 真的吗 为什么 怎么办 然后呢 什么意思 有意思 没意思 没问题 没事 别说了 闭嘴 安静一点 别吵了
""".split()

ROOMS = "客厅 卧室 厨房 书房 阳台 浴室 餐厅 儿童房 主卧 走廊".split()
DEVICES = "灯 空调 窗帘 风扇 电视 台灯 加湿器 净化器 音响".split()
CITIES = "北京 上海 广州 深圳 杭州 南京 武汉 成都 重庆 西安 天津 苏州 长沙 青岛 厦门 大连 沈阳 哈尔滨 昆明 拉萨 香港 台北 郑州 济南 福州 合肥".split()
DAYS = "今天 明天 后天 昨天 周末 下周".split()
SINGERS = "周杰伦 邓丽君 王菲 刘德华 张学友 陈奕迅 林俊杰 孙燕姿".split()
SONGS = "青花瓷 月亮代表我的心 小苹果 两只老虎 小星星 茉莉花 童年 稻香 生日快乐歌".split()
NAMES = "小智 小明 小爱 小美 小红".split()
DIGITS = "零 一 二 三 四 五 六 七 八 九".split()
COLORS = "红色 蓝色 绿色 白色 黄色 紫色 暖光".split()
PEOPLE = "妈妈 爸爸 爷爷 奶奶 哥哥 姐姐 弟弟 妹妹 老师 老板 小明 小红".split()
ANIMALS = "老虎 狮子 大象 小猫 小狗 熊猫 兔子 猴子 恐龙 企鹅".split()
FOODS = "苹果 香蕉 西瓜 牛奶 面包 鸡蛋 米饭 面条 饺子 咖啡".split()


def number(n):
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return "十" + (DIGITS[n - 10] if n > 10 else "")
    if n < 100:
        return DIGITS[n // 10] + "十" + (DIGITS[n % 10] if n % 10 else "")
    if n == 100:
        return "一百"
    rest = n % 100
    head = DIGITS[n // 100] + "百"
    if not rest:
        return head
    return head + ("零" + DIGITS[rest] if rest < 10 else
                   ("一" if rest < 20 else "") + number(rest))


def templates(rng):
    """(group name, sentences); a group is sampled so none dominates."""
    nums = [number(n) for n in range(1, 100)]
    small = [number(n) for n in range(1, 13)]
    hours = ["两" if n == 2 else number(n) for n in range(1, 13)]
    mins = [number(n) for n in (5, 10, 15, 20, 25, 30, 40, 45, 50)]
    pct = [number(n) for n in range(10, 101, 5)]
    temp = [number(n) for n in range(16, 31)]
    rd = list(itertools.product(ROOMS, DEVICES))

    def prod(fmt, *lists):
        return [fmt.format(*c) for c in itertools.product(*lists)]

    yield "on", 90, ["打开%s的%s" % p for p in rd] + ["打开%s%s" % p for p in rd] + ["打开" + d for d in DEVICES]
    yield "off", 90, ["关闭%s的%s" % p for p in rd] + ["关掉%s的%s" % p for p in rd] + ["关闭" + d for d in DEVICES]
    yield "ba", 70, ["把%s的%s打开" % p for p in rd] + ["把%s的%s关掉" % p for p in rd] + ["请帮我打开%s的%s" % p for p in rd]
    yield "color", 25, prod("把{}的灯调成{}", ROOMS, COLORS) + prod("把灯调成{}", COLORS)
    yield "bright", 25, prod("亮度调到百分之{}", pct) + prod("把{}的灯调到百分之{}", ROOMS, pct)
    yield "temp", 40, prod("空调调到{}度", temp) + prod("把空调调到{}度", temp) + prod("把{}的空调调到{}度", ROOMS, temp) + prod("温度调到{}度", temp)
    yield "vol", 40, prod("音量调到百分之{}", pct) + prod("把音量调到{}", nums) + prod("音量调到{}", nums)
    yield "weather", 110, prod("{}{}天气怎么样", CITIES, DAYS) + prod("{}的天气怎么样", CITIES) + prod("{}天气怎么样", CITIES) + prod("{}{}会下雨吗", DAYS, CITIES) + prod("{}现在多少度", CITIES) + prod("{}冷不冷", CITIES)
    yield "city", 40, prod("我想去{}", CITIES) + prod("从{}到{}怎么走", CITIES, CITIES) + prod("{}有什么好玩的", CITIES) + prod("{}到{}有多远", CITIES, CITIES) + prod("现在{}几点了", CITIES)
    yield "alarm", 60, prod("定一个{}点的闹钟", hours) + prod("明天早上{}点叫我起床", hours) + prod("早上{}点{}分叫我起床", hours, mins) + prod("下午{}点提醒我开会", hours) + prod("晚上{}点半提醒我吃药", hours) + prod("帮我定一个明天{}点的闹钟", hours)
    yield "timer", 50, prod("倒计时{}分钟", nums) + prod("定时{}分钟", mins) + prod("{}分钟后提醒我", nums) + prod("{}分钟后关灯", mins) + prod("{}小时后关闭空调", hours) + prod("{}秒倒计时", nums)
    yield "math", 110, prod("{}加{}等于几", nums, small) + prod("{}减{}等于多少", nums, small) + prod("{}乘以{}等于多少", small, small) + prod("{}除以{}等于几", nums, small) + prod("{}加{}等于多少", nums, nums)
    yield "count", 30, prod("从一数到{}", nums) + nums
    yield "singer", 50, prod("播放{}的歌", SINGERS) + prod("我想听{}的歌", SINGERS) + prod("来一首{}的歌", SINGERS) + prod("放一首{}的{}", SINGERS, SONGS)
    yield "song", 30, prod("播放{}", SONGS) + prod("我想听{}", SONGS) + prod("唱一首{}", SONGS) + prod("你会唱{}吗", SONGS)
    yield "name", 60, prod("你好{}", NAMES) + prod("{}{}", NAMES, NAMES[:1]) + prod("{}你好", NAMES) + prod("{}同学", NAMES) + prod("{}打开灯", NAMES) + prod("{}现在几点了", NAMES) + prod("{}今天天气怎么样", NAMES) + prod("{}讲个笑话", NAMES) + prod("你好{}打开{}", NAMES, DEVICES) + prod("我叫{}", NAMES) + prod("{}播放音乐", NAMES)
    yield "call", 40, prod("给{}打电话", PEOPLE) + prod("打电话给{}", PEOPLE) + prod("给{}发个消息", PEOPLE) + prod("告诉{}我到家了", PEOPLE) + prod("我想{}了", PEOPLE) + prod("{}在家吗", PEOPLE)
    yield "story", 40, prod("讲一个{}的故事", ANIMALS) + prod("我想听{}的故事", ANIMALS) + prod("{}怎么叫", ANIMALS) + prod("{}吃什么", ANIMALS) + prod("你喜欢{}吗", ANIMALS)
    yield "food", 40, prod("我想吃{}", FOODS) + prod("{}怎么做", FOODS) + prod("{}多少钱", FOODS) + prod("{}用英语怎么说", FOODS) + prod("帮我买点{}", FOODS) + prod("提醒我买{}", FOODS)
    yield "date", 20, prod("今天是{}月{}号吗", small, nums[:31]) + prod("{}月{}号是星期几", small, nums[:31])


def sentences(seed=7):
    """-> (train, held_out); held-out sentences appear nowhere in train."""
    rng = random.Random(seed)
    test, train = [], list(dict.fromkeys(SINGLE))
    for _, want, group in templates(rng):
        group = sorted(set(group) - set(train))
        rng.shuffle(group)
        group = group[:int(want * 1.5)]
        k = max(2, len(group) // 7)
        test += group[:k]
        train += group[k:]
    test = [s for s in dict.fromkeys(test) if s not in set(train)]
    return list(dict.fromkeys(train)), test


@functools.lru_cache(None)
def _jieba():
    import logging
    import jieba
    jieba.setLogLevel(logging.ERROR)
    for w in ROOMS + DEVICES + SINGERS + SONGS + NAMES + COLORS + "百分之 绕口令 脑筋急转弯 白噪音".split():
        jieba.add_word(w, freq=2000000)
    for w in ('今天天气', '分叫', '数到', '调到百'):
        jieba.del_word(w)
    return jieba


NUM = set("零一二三四五六七八九十百两")


@functools.lru_cache(None)
def segment(sentence):
    """Numbers are split into single characters; the rest follows jieba."""
    out = []
    for part in re.findall("[零一二三四五六七八九十百两]|[^零一二三四五六七八九十百两]+", sentence):
        out += [part] if part in NUM else _jieba().lcut(part)
    # words whose number character is not a number (e.g. 一下) rejoin
    joined, i = [], 0
    keep = {"一下", "一点", "一首", "一个", "一遍", "有一点", "一部", "一本", "一份", "一路", "一年", "一天", "一层", "万事如意", "星期一"}
    while i < len(out):
        for n in (3, 2):
            if "".join(out[i:i + n]) in keep and len(out[i:i + n]) == n:
                joined.append("".join(out[i:i + n]))
                i += n
                break
        else:
            joined.append(out[i])
            i += 1
    return tuple(joined)


def common_words(n=2500):
    """Frequent words of jieba's own dictionary, with counts."""
    import jieba
    rows = []
    with open(jieba.__path__[0] + "/dict.txt", encoding="utf-8") as f:
        for line in f:
            w, c, _ = line.split()
            if 1 <= len(w) <= 3 and all("\u4e00" <= ch <= "\u9fff" for ch in w):
                rows.append((int(c), w))
    rows.sort(reverse=True)
    return [(w, c) for c, w in rows[:n]]


OVERRIDE = {"重庆": "chong2 qing4", "长沙": "chang2 sha1", "还有": "hai2 you3", "调到": "tiao2 dao4", "调成": "tiao2 cheng2",
            "调": "tiao2", "了": "le5", "的": "de5", "还": "hai2", "长": "chang2", "得": "de5", "地": "de5", "都": "dou1", "着": "zhe5"}


@functools.lru_cache(None)
def readings(word):
    """-> list of syllable tuples ('jin1', ...): the usual reading first."""
    from pypinyin import Style, pinyin
    if word in OVERRIDE:
        return [tuple(OVERRIDE[word].split())]
    p = pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
    first = tuple(x[0] for x in p)
    return [first]


INITIALS = "zh ch sh b p m f d t n l g k h j q x r z c s".split()


@functools.lru_cache(None)
def units(syllable):
    """'zhang4' -> ('zh', 'ang'); toneless initial and final."""
    from pypinyin.contrib.tone_convert import to_finals, to_initials
    s = re.sub("[0-9]", "", syllable)
    ini = to_initials(s, strict=True)
    fin = to_finals(s, strict=True).replace("ü", "v")
    if fin == "i" and ini in ("z", "c", "s"):
        fin = "ii"
    elif fin == "i" and ini in ("zh", "ch", "sh", "r"):
        fin = "iii"
    if not fin:                      # m, n, ng interjections
        fin = {"m": "en", "n": "en", "ng": "en", "hm": "en"}.get(s, "e")
        ini = ""
    return tuple(x for x in (ini, fin) if x)


if __name__ == "__main__":
    tr, te = sentences()
    print(len(tr), len(te), te[:20])
    vocab = {w for s in tr + te for w in segment(s)}
    print(len(vocab), len({w for s in te for w in segment(s)} - {w for s in tr for w in segment(s)}))
    allu = {u for w in vocab | {w for w, _ in common_words()} for r in readings(w) for y in r for u in units(y)}
    print(len(allu), sorted(allu))
    for s in te[:200:20]:
        print(segment(s), [readings(w) for w in segment(s)])
