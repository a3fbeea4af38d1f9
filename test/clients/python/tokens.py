"""What a token of the gateway gives a client: downloads, or the reason why not."""
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

for name, token in plan["tokens"].items():
    check(f"snapshot {name}", lambda: digests(snapshot_download(plan["repo"], token=token, cache_dir=f"{os.environ['HOME']}/{name}")))
    check(f"download {name}", lambda: sha256(hf_hub_download(plan["repo"], plan["file"], token=token, cache_dir=f"{os.environ['HOME']}/{name}2")))
    check(f"info {name}", lambda: HfApi(token=token).model_info(plan["repo"]).id)
from huggingface_hub import get_token, login


def signed_in(token):
    login(token=token)
    return [get_token() == token, HfApi().whoami()["name"]]


check("login good", lambda: signed_in(plan["tokens"]["good"]))
check("login ended", lambda: signed_in(plan["tokens"]["ended"]))
finish()
