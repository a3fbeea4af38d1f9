"""Makes small checkpoints with real torch and transformers. Usage: torch-fixtures.py FOLDER"""
import hashlib, json, os, sys

import torch
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

DTYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64",
}
target = sys.argv[1]
torch.manual_seed(20260101)
torch.set_num_threads(1)


def repo(name):
    folder = os.path.join(target, name, "repo")
    os.makedirs(folder)
    return folder


def tensors_of(value, path=""):
    if isinstance(value, torch.Tensor):
        yield path, value.detach()
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from tensors_of(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for key, inner in enumerate(value):
            yield from tensors_of(inner, f"{path}.{key}" if path else str(key))


def described(tensor):
    plain = tensor.contiguous()
    data = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    digest = hashlib.sha256(data.numpy().tobytes()).hexdigest()
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "sha256": digest}


def expect(name, weights):
    """Writes what the weights files hold, as torch itself reads them back."""
    folder = os.path.join(target, name)
    found = {}
    for file in weights:
        loaded = torch.load(os.path.join(folder, "repo", file), map_location="cpu")
        found[file] = {path: described(tensor) for path, tensor in tensors_of(loaded)}
    with open(os.path.join(folder, "tensors.json"), "w") as out:
        json.dump(found, out)


config = BertConfig(
    vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
    max_position_embeddings=32, type_vocab_size=2,
)
model = BertModel(config)

single = repo("single")
model.save_pretrained(single, safe_serialization=False)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"word{index}" for index in range(59)]
vocabulary = os.path.join(single, "vocab.txt")
with open(vocabulary, "w") as out:
    out.write("\n".join(words) + "\n")
BertTokenizerFast(vocab_file=vocabulary).save_pretrained(single)
expect("single", ["pytorch_model.bin"])

sharded = repo("sharded")
model.save_pretrained(sharded, safe_serialization=False, max_shard_size="30KB")
expect("sharded", sorted(file for file in os.listdir(sharded) if file.endswith(".bin")))

masked = BertForMaskedLM(config)
masked.tie_weights()
masked.save_pretrained(repo("tied"), safe_serialization=False)
expect("tied", ["pytorch_model.bin"])

legacy = repo("legacy")
config.architectures = ["BertModel"]
config.save_pretrained(legacy)
torch.save(model.state_dict(), os.path.join(legacy, "pytorch_model.bin"), _use_new_zipfile_serialization=False)
expect("legacy", ["pytorch_model.bin"])

for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16)):
    smaller = BertModel(config).to(dtype)
    smaller.save_pretrained(repo(name), safe_serialization=False)
    expect(name, ["pytorch_model.bin"])

base = torch.arange(24, dtype=torch.float32)
state = {f"dtype.{name}": (torch.arange(-3, 9) % 5).reshape(3, 4).to(dtype) for dtype, name in DTYPES.items()}
state["scalar"] = torch.tensor(7.5)
state["empty"] = torch.empty(0, 4)
state["transposed"] = base.reshape(4, 6).t()
state["step"] = base[1::3]
state["overlap.a"] = base[0:16]
state["overlap.b"] = base[8:24]
state["expanded"] = torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1).expand(3, 5)
state["parameter"] = torch.nn.Parameter(base.clone())
state["buffer"] = base.clone().requires_grad_(True)
torch.save(state, os.path.join(repo("dtypes"), "pytorch_model.bin"))
expect("dtypes", ["pytorch_model.bin"])

trainer = repo("trainer")
model.save_pretrained(trainer, safe_serialization=False)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
model(torch.tensor([[2, 5, 6, 3]])).pooler_output.sum().backward()
optimizer.step()
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
torch.save(optimizer.state_dict(), os.path.join(trainer, "optimizer.pt"))
torch.save(scheduler.state_dict(), os.path.join(trainer, "scheduler.pt"))
expect("trainer", ["optimizer.pt", "pytorch_model.bin"])

safe = repo("safetensors")
model.save_pretrained(safe)
from safetensors.torch import load_file
with open(os.path.join(target, "safetensors", "tensors.json"), "w") as out:
    loaded = load_file(os.path.join(safe, "model.safetensors"))
    json.dump({"model.safetensors": {path: described(tensor) for path, tensor in loaded.items()}}, out)
