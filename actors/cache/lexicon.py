"""The words that the judgement knows by class. Everything else must match exactly.

Data only. Each class is a kind of difference that may never be glossed over; the
synonyms are the few that stay true in any household question.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROOMS: Final = _words(
    "客厅 卧室 主卧 次卧 主卧室 次卧室 厨房 书房 阳台 餐厅 儿童房 卫生间 走廊 车库 玄关 地下室 客房 浴室 门口"
    " 院子 花园 楼上 楼下 家里 全屋 屋里 房间 办公室 老人房 婴儿房 衣帽间 储物间 厕所 洗手间 门厅 过道 楼梯"
    " kitchen bedroom bathroom garage study hallway living dining room office garden"
)
DEVICES: Final = _words(
    "灯 空调 电视 风扇 窗帘 加湿器 空气净化器 净化器 台灯 热水器 音响 音箱 取暖器 排风扇 投影仪 扫地机器人"
    " 洗衣机 洗碗机 烤箱 微波炉 电饭煲 冰箱 电脑 插座 路由器 门 窗户 窗 吊灯 壁灯 夜灯 小夜灯 大灯 灯带 吸顶灯"
    " 床头灯 落地灯 射灯 筒灯 地暖 暖气 新风 除湿机 油烟机 抽油烟机 电风扇 吊扇 摄像头 闹钟 蓝牙 投影 机顶盒"
    " 电热毯 饮水机 咖啡机 电水壶 晾衣架 门锁 车库门 大门 纱窗 百叶窗"
    " light lights fan tv heater lamp lamps curtain curtains door window oven radio"
)
KIN: Final = _words(
    "妈妈 爸爸 爷爷 奶奶 外公 外婆 哥哥 姐姐 弟弟 妹妹 叔叔 阿姨 舅舅 姑姑 儿子 女儿 老公 老婆 丈夫 妻子 孙子"
    " 孙女 孩子 老师 学生 同学 朋友 医生 宝宝 爸 妈 母亲 父亲 姥姥 姥爷 mom dad mother father brother sister son"
    " daughter grandma grandpa uncle aunt wife husband"
)
PERSONS: Final = _words(
    "我 你 他 她 它 我们 你们 他们 她们 它们 咱们 咱 自己 人家 大家 别人 这 那 这个 那个 这里 那里 这些 那些"
    " i me my mine you your yours he him his she her hers we us our they them their it its this that these those"
)
POLARITY: Final = _words(
    "不 没 没有 别 不要 不会 不能 不是 不可以 不用 不许 不准 不想 不让 不该 不必 不得 非 无 未 勿 莫 甭 禁止"
    " 防止 避免 取消 拒绝 除了 千万别 无毒 是 对 好 not no never without except none neither nor"
)
QUANTIFIERS: Final = _words(
    "所有 全部 全 都 只 只有 仅 每 每个 每天 每次 有的 有些 一些 几个 几 某 任何 大部分 少部分 部分 半 一半 再 又"
    " 还 也 另 另外 别的 其他 其它 至少 至多 最多 最少 最 更 很 太 多 少 第 各 各个 两 双 单 整个 些 唯一"
    " all every each some any only both few many much more most less least another other again first last next half"
)
DIRECTIONS: Final = _words(
    "上 下 左 右 前 后 里 外 内 东 西 南 北 中间 左边 右边 上面 下面 前面 后面 里面 外面 东边 西边 南边 北边 左侧"
    " 右侧 向上 向下 往左 往右 向前 向后 上一首 下一首 北极 南极 up down left right front back in out inside outside"
    " north south east west previous forward backward"
)
TIMES: Final = _words(
    "早上 上午 中午 下午 傍晚 晚上 夜里 半夜 凌晨 深夜 清晨 午后 点 分 秒 分钟 小时 刻 现在 刚才 马上 待会 以后"
    " 之前 之后 前 后 am pm morning noon afternoon evening night minute minutes hour hours second seconds now o'clock"
)
DATES: Final = _words(
    "今天 明天 后天 大后天 昨天 前天 大前天 今年 明年 去年 后年 前年 本周 这周 上周 下周 周末 这个月 下个月 上个月"
    " 周1 周2 周3 周4 周5 周6 周日 天 年 月 日 号 周 每天 春节 阳历 阴历 农历 公历 today tomorrow yesterday week"
    " month year day monday tuesday wednesday thursday friday saturday sunday tonight weekend"
)
QUESTION_WORDS: Final = _words(
    "什么 谁 哪 哪里 哪个 哪些 哪天 哪年 哪位 怎么 怎么样 怎么办 为什么 多少 几 几点 几号 几岁 多久 多远 多大 多高"
    " 多长 多重 多深 多宽 多快 什么时候 吗 呢 吧 who what where when why which how whose whom"
)
LANGUAGES: Final = _words(
    "英语 日语 法语 韩语 德语 俄语 西班牙语 粤语 中文 汉语 英文 日文 法文 韩文 德文 俄文 普通话 意大利语 葡萄牙语"
    " 阿拉伯语 泰语 越南语 拉丁语 四川话 上海话 广东话 english chinese french german spanish japanese korean russian"
)
SIZES: Final = _words(
    "大 小 多 少 高 低 长 短 快 慢 早 晚 远 近 轻 重 热 冷 厚 薄 深 浅 宽 窄 新 老 旧 胖 瘦 贵 便宜 高一点 低一点"
    " 最大 最小 最高 最低 最长 最短 最快 最慢 最多 最少 big small large little tall short long high low fast slow old"
    " young hot cold early late louder quieter raise lower higher"
)
ACTIONS: Final = _words(
    "打开 关闭 开 关 开灯 关灯 开门 关门 增加 减少 提高 降低 调高 调低 调大 调小 锁 解锁 借 还 买 卖 存 取 穿 脱"
    " 上车 下车 输 赢 开始 停止 暂停 继续 添加 删除 静音 收藏 登录 注销 拉开 拉上 播放 on off open close start stop"
    " pause resume play buy sell lock unlock add remove delete increase decrease turn"
)

#: Classes in the order in which a difference is named.
CLASSES: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("polarity", POLARITY),
    ("device", DEVICES),
    ("room", ROOMS),
    ("person", PERSONS | KIN),
    ("language", LANGUAGES),
    ("question word", QUESTION_WORDS),
    ("date", DATES),
    ("time", TIMES),
    ("action", ACTIONS),
    ("quantifier", QUANTIFIERS),
    ("direction", DIRECTIONS),
    ("size", SIZES),
)

#: One word for another wherever it stands as a word, outside titles and talk about words.
SYNONYMS: Final = {
    "番茄": "西红柿",
    "马铃薯": "土豆",
    "洋芋": "土豆",
    "妈": "妈妈",
    "母亲": "妈妈",
    "老妈": "妈妈",
    "爸": "爸爸",
    "父亲": "爸爸",
    "老爸": "爸爸",
    "姥姥": "外婆",
    "姥爷": "外公",
    "电视机": "电视",
    "电冰箱": "冰箱",
    "空调机": "空调",
    "电风扇": "风扇",
    "电灯": "灯",
    "主卧室": "主卧",
    "次卧室": "次卧",
    "洗手间": "卫生间",
    "厕所": "卫生间",
    "今日": "今天",
    "明日": "明天",
    "昨日": "昨天",
    "早晨": "早上",
    "钟头": "小时",
    "跟": "和",
    "与": "和",
    "目前": "现在",
    "当前": "现在",
    "全世界": "世界",
    "大夫": "医生",
    "公共汽车": "公交车",
    "英文": "英语",
    "日文": "日语",
    "法文": "法语",
    "韩文": "韩语",
    "德文": "德语",
    "俄文": "俄语",
    "能够": "能",
    "炒鸡蛋": "炒蛋",
    "里面": "里",
    "里边": "里",
    "里头": "里",
    "外头": "外面",
    "月球": "月亮",
    "猫咪": "猫",
    "狗狗": "狗",
    "小孩": "孩子",
    "小孩子": "孩子",
    "芫荽": "香菜",
    "苞米": "玉米",
    "苞谷": "玉米",
    "番薯": "红薯",
    "甘薯": "红薯",
    "圆葱": "洋葱",
    "闹肚子": "拉肚子",
    "飞机场": "机场",
    "无线网": "wifi",
    "端午": "端午节",
    "中秋": "中秋节",
    "一战": "第一次世界大战",
    "二战": "第二次世界大战",
    "ai": "人工智能",
    "地瓜": "红薯",
    "珠峰": "珠穆朗玛峰",
    "万里长城": "长城",
    "公分": "厘米",
    "手指头": "手指",
    "脚趾头": "脚趾",
    "衬衣": "衬衫",
    "单车": "自行车",
    "脚踏车": "自行车",
    "车胎": "轮胎",
    "夜晚": "晚上",
    "立刻": "马上",
    "立即": "马上",
    "逝世": "去世",
    "伸舌头": "吐舌头",
}

#: Nouns that 的 only links: 中国的首都, 长江的长度. Between other words it may say more.
ATTRIBUTES: Final = _words(
    "首都 省会 人口 面积 天气 气温 温度 高度 长度 宽度 深度 重量 体重 身高 年龄 寿命 价格 距离 速度 海拔 意思 做法"
    " 作者 颜色 形状 味道 特点 优点 缺点 好处 坏处 作用 功能 原理 用途 历史 来历 由来 由来 起源 规则 区别 名字 生日"
    " 平方 立方 灯 空调 电视 风扇 窗帘 湿度 亮度 音量 声音 国旗 国歌 国花 邮编 区号 电话 特产 景点 美食 课 新闻"
    " 交通 股价 汇率 时间 日期 密码"
)
