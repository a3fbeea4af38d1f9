"""How a pipeline fails that learns of a refusal only at the weights."""
from huggingface_hub import hf_hub_download, snapshot_download

for repo in plan["repos"]:
    if plan["load"] == "from_pretrained":
        from transformers import AutoModel

        check(repo, lambda: type(AutoModel.from_pretrained(repo)).__name__)
        check(f"{repo} again", lambda: type(AutoModel.from_pretrained(repo)).__name__)
    elif plan["load"] == "cached_file":
        from transformers.utils import cached_file

        # As from_pretrained of transformers 5 asks for weights.
        quiet = {"_raise_exceptions_for_gated_repo": False, "_raise_exceptions_for_missing_entries": False}
        names = ("model.safetensors", "model.safetensors.index.json")
        for name in (repo, f"{repo} again"):
            check(name, lambda: [cached_file(repo, name, **quiet) for name in names])
    else:
        check(repo, lambda: snapshot_download(repo))
        check(f"{repo} again", lambda: snapshot_download(repo))
    check(f"{repo} config", lambda: sha256(hf_hub_download(repo, "config.json", force_download=True)))
refused = ("/pytorch_model.bin", "-00001-of-00003.bin", "-00001-of-00003.safetensors")
check("left behind", lambda: [name for name in digests(f"{os.environ['HOME']}/hf") if name.endswith(refused)])
finish()
