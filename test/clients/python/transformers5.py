"""What transformers 5 reads beside weights."""
import transformers
from transformers import AutoConfig, AutoTokenizer, GenerationConfig
from transformers.utils import cached_file

results["version"] = transformers.__version__
check("config", lambda: AutoConfig.from_pretrained("acme/single").hidden_size)
check("tokenizer", lambda: AutoTokenizer.from_pretrained("acme/single")("word1 word2")["input_ids"])
check("tokenizer again", lambda: AutoTokenizer.from_pretrained("acme/single")("word1 word2")["input_ids"])
check("weights", lambda: sha256(cached_file("acme/single", "model.safetensors")))
check("absent", lambda: GenerationConfig.from_pretrained("acme/single").max_length)
finish()
