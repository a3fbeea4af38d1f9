"""What transformers with real torch loads from repos that have only pickles."""
import torch
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer

torch.set_num_threads(1)
DTYPES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.int64: "I64"}


def described(tensor):
    plain = tensor.detach().contiguous()
    data = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    digest = hashlib.sha256(data.numpy().tobytes()).hexdigest()
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "sha256": digest}


def load(name, **more):
    kind = AutoModelForMaskedLM if name == "tied" else AutoModel
    model, loading = kind.from_pretrained(f"acme/{name}", torch_dtype="auto", output_loading_info=True, **more)
    tensors = {key: described(tensor) for key, tensor in model.state_dict().items()}
    return {"tensors": tensors, "missing": loading["missing_keys"], "unexpected": loading["unexpected_keys"]}


for name in plan["repos"]:
    check(name, lambda: load(name))
check("again", lambda: load("single"))
check("local only", lambda: load("single", local_files_only=True))
check("use_safetensors", lambda: load("legacy", use_safetensors=True, force_download=True))
check("config", lambda: AutoConfig.from_pretrained("acme/single").hidden_size)
check("tokenizer", lambda: AutoTokenizer.from_pretrained("acme/single")("word1 word2")["input_ids"])
# Last, since it asks for the pickle by its name.
check("pickle", lambda: load("legacy", use_safetensors=False))
finish()
