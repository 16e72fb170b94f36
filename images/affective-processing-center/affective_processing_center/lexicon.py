"""Words that carry a mood: how pleasant it is (valence) and how excited (arousal), each from -1 to 1."""

WORDS = {
    "afraid": (-0.7, 0.7), "angry": (-0.7, 0.8), "anxious": (-0.6, 0.6), "awful": (-0.8, 0.4), "bad": (-0.6, 0.2),
    "bored": (-0.4, -0.7), "calm": (0.5, -0.7), "cheerful": (0.8, 0.5), "confused": (-0.3, 0.2), "cry": (-0.7, 0.4),
    "delight": (0.9, 0.6), "depressed": (-0.8, -0.5), "disappoint": (-0.6, -0.1), "disgust": (-0.8, 0.4),
    "enjoy": (0.7, 0.4), "excited": (0.7, 0.9), "fear": (-0.7, 0.7), "frustrate": (-0.6, 0.6), "fun": (0.7, 0.5),
    "furious": (-0.8, 0.9), "glad": (0.7, 0.2), "good": (0.6, 0.1), "grateful": (0.8, 0.1), "great": (0.8, 0.4),
    "happy": (0.8, 0.4), "hate": (-0.8, 0.6), "hope": (0.5, 0.1), "hurt": (-0.7, 0.4), "joy": (0.9, 0.5),
    "lonely": (-0.7, -0.4), "love": (0.9, 0.5), "nervous": (-0.4, 0.6), "panic": (-0.8, 0.9), "peaceful": (0.7, -0.7),
    "pleasant": (0.7, 0.0), "proud": (0.7, 0.4), "relax": (0.6, -0.7), "sad": (-0.7, -0.4), "scared": (-0.7, 0.7),
    "shock": (-0.4, 0.9), "sorry": (-0.3, -0.1), "stress": (-0.6, 0.6), "surprise": (0.3, 0.8), "terrible": (-0.9, 0.5),
    "thank": (0.6, 0.1), "tired": (-0.3, -0.8), "upset": (-0.6, 0.5), "wonderful": (0.9, 0.5), "worry": (-0.5, 0.5),
}

NEGATIONS = frozenset({"not", "no", "never", "hardly", "nothing", "don't", "doesn't", "isn't", "wasn't", "can't", "won't"})
STRONGER = {"very": 1.3, "really": 1.3, "so": 1.2, "extremely": 1.5, "slightly": 0.6, "somewhat": 0.7}
