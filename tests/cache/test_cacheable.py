"""Which questions and which answers may be kept."""

from __future__ import annotations

import pytest

from actors.cache.cacheable import Lists, Made, cacheable, is_objection, worth_keeping


@pytest.mark.parametrize(
    "question",
    [
        *(
            "中国的首都是哪里",
            "三加五等于几",
            "谢谢用英语怎么说",
            "你好",
            "你是谁",
            "再见",
            "晚安",
            "红烧肉怎么做",
            "为什么天空是蓝色的",
        ),
        *(
            "不锈钢是什么",
            "对数是什么",
            "再生纸是什么",
            "吉他怎么学",
            "没有氧气会怎么样",
            "电视是谁发明的",
            "我爱你用英语怎么说",
        ),
        *(
            "what is the capital of france",
            "how do you say love in french",
            "教我做红烧肉",
            "你是不是机器人",
            "你是机器人吗",
            "机器人会思考吗",
            "守株待兔这个成语是什么意思",
            "解释一下守株待兔这个成语",
            "青花瓷这首歌是谁唱的",
            "你该怎么称呼",
            "关羽是谁",
            "孩子几岁换牙",
            "妈妈的妈妈怎么称呼",
            "母亲节是怎么来的",
            "灯是怎么发明的",
            "太阳的温度是多少",
            "how come the sky is blue",
            "why is the sky blue",
            "why is ice slippery",
            "how do i make pancakes",
            "spell beautiful for me",
            "is it ok for dogs to eat chocolate",
            "你还好吗",
            "我国的首都是哪里",
            "美国第一任总统是谁",
            "谁是美国的首任总统",
            "圣诞节是几月几号",
            "水到几度才结冰",
            "妈妈的姐姐我该叫什么",
            "光合作用是什么",
        ),
    ],
)
def test_facts_and_small_talk_are_kept(question: str) -> None:
    assert cacheable(question).cacheable, cacheable(question)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        *(
            (q, "weather")
            for q in (
                "今天天气怎么样",
                "要不要带伞",
                "北京几度",
                "天气预报是什么",
                "will it rain",
                "外头冷吗",
                "雨什么时候停",
                "卧室温度是多少",
            )
        ),
        *(
            (q, "time")
            for q in (
                "现在几点",
                "今天几号",
                "离春节还有几天",
                "距离高考还剩几天",
                "今儿个限什么号",
                "春节放几天假",
                "how many days until christmas",
                "what time is it",
                "最近有什么电影",
            )
        ),
        *(
            (q, "news")
            for q in (
                "茅台股价多少",
                "美国总统是谁",
                "苹果多少钱",
                "bitcoin price",
                "谁是美国总统",
                "一百美元等于多少人民币",
                "上一届世界杯是哪个队夺冠的",
            )
        ),
        *((q, "device state") for q in ("客厅的灯开着吗", "还有没有电量", "is the door locked")),
        *(
            (q, "command")
            for q in (
                "打开客厅的灯",
                "关灯",
                "声音大一点",
                "下一首",
                "定一个闹钟",
                "十分钟后提醒我",
                "turn off the light",
                "除了卧室的灯其他都关掉",
                "只开厨房的灯",
                "十分钟后关电视",
                "窗帘开一半",
                "空调给我弄到二十六度",
                "加湿器开两个小时",
                "开一下观影模式",
                "放点轻音乐",
                "别关厨房的灯",
            )
        ),
        *(
            (q, "context")
            for q in (
                "它吃什么",
                "为什么",
                "还有呢",
                "再说一遍",
                "那呢",
                "他是谁",
                "这个用英语怎么说",
                "这句话用英语怎么说",
                "这个成语是什么意思",
                "解释一下是什么意思",
                "是什么意思",
                "他说的话是什么意思",
                "老师这个成语怎么读",
                "这部电影好看吗",
                "我喜欢这首歌吗",
                "why is that",
                "how do you spell that",
                "why",
                "what about it",
            )
        ),
        *(
            (q, "personal")
            for q in (
                "我叫什么名字",
                "我的生日是哪天",
                "姥姥的生日是哪天",
                "妈妈什么时候回来",
                "你记得什么",
                "what is my name",
            )
        ),
        *(
            (q, "fresh")
            for q in ("讲个笑话", "给我讲个故事", "唱首歌", "推荐一部电影", "tell me a joke")
        ),
        *((q, "objection") for q in ("那不对", "你说错了", "不是这个", "that is wrong")),
        ("", "empty"),
    ],
)
def test_what_changes_or_belongs_to_somebody_is_not(question: str, kind: str) -> None:
    verdict = cacheable(question)
    assert not verdict.cacheable
    assert verdict.kind == kind
    assert verdict.reason


def test_the_operators_lists_come_first() -> None:
    lists = Lists(never=("首都",), always=("讲个笑话",))
    assert cacheable("中国的首都是哪里", lists).kind == "never"
    assert cacheable("给我讲个笑话吧", lists).cacheable
    assert cacheable("讲个笑话说说首都", lists).kind == "never"


@pytest.mark.parametrize(
    ("answer", "made", "kind"),
    [
        ("北京。", Made(finished=False), "unfinished"),
        ("北京。", Made(failed=True), "unfinished"),
        ("北京。", Made(used_tools=True), "tools"),
        ("北京。", Made(used_history=True), "personal"),
        ("", Made(), "empty"),
        ("……", Made(), "empty"),
        ("好" * 2000, Made(), "long"),
        ("抱歉，我不太清楚。", Made(), "apology"),
        ("我还没有接上大模型，这个问题我答不了。", Made(), "apology"),
        ("I'm sorry, I can't help with that.", Made(), "apology"),
        ("现在是八点。", Made(), "moment"),
        ("今天是星期三。", Made(), "moment"),
    ],
)
def test_answers_that_are_not_learned(answer: str, made: Made, kind: str) -> None:
    verdict = worth_keeping(answer, made)
    assert not verdict.cacheable
    assert verdict.kind == kind


def test_a_good_answer_is_learned() -> None:
    assert worth_keeping("中国的首都是北京。", Made()).cacheable


def test_an_apology_that_was_asked_for_is_learned() -> None:
    assert worth_keeping("对不起的英语是 sorry。", Made(), "对不起用英语怎么说").cacheable


@pytest.mark.parametrize(
    "text",
    ["那不对", "不对", "你说错了。", "不是这个", "答非所问", "no", "that is not what i asked"],
)
def test_objections_are_heard(text: str) -> None:
    assert is_objection(text)


@pytest.mark.parametrize(
    "text", ["不对称是什么", "错了怎么办", "不是所有的鸟都会飞", "对", "no one knows"]
)
def test_other_sentences_are_no_objections(text: str) -> None:
    assert not is_objection(text)
