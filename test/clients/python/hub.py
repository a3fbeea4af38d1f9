"""What huggingface_hub does with a hub, one call after the other."""
import shutil, subprocess

import huggingface_hub
from huggingface_hub import HfApi, HfFileSystem, get_safetensors_metadata, hf_hub_download, snapshot_download

api = HfApi()
model, converted, odd = plan["model"], plan["converted"], plan["odd"]
work = os.environ["HOME"]
results["version"] = huggingface_hub.__version__


check("snapshot", lambda: digests(snapshot_download(model)))
check("snapshot again", lambda: digests(snapshot_download(model)))
check("snapshot converted", lambda: digests(snapshot_download(converted)))
check("snapshot converted again", lambda: digests(snapshot_download(converted)))
check("snapshot by commit", lambda: digests(snapshot_download(model, revision=plan["commit"])))
check("snapshot patterns", lambda: sorted(digests(snapshot_download(model, allow_patterns=["*.json"], local_dir=f"{work}/part"))))
check("local_dir", lambda: digests(snapshot_download(model, local_dir=f"{work}/local")))
check("local_dir again", lambda: digests(snapshot_download(model, local_dir=f"{work}/local")))
check("local_dir converted", lambda: digests(snapshot_download(converted, local_dir=f"{work}/local2")))
check("local_dir converted again", lambda: digests(snapshot_download(converted, local_dir=f"{work}/local2")))
check("download", lambda: sha256(hf_hub_download(model, "model.safetensors")))
check("download subfolder", lambda: sha256(hf_hub_download(model, "vocab.txt", subfolder="nested/deep")))
check("download forced", lambda: sha256(hf_hub_download(model, "config.json", force_download=True)))
check("download branch", lambda: open(hf_hub_download(model, "branch.txt", revision=plan["branch"])).read())
check("download pull request", lambda: open(hf_hub_download(model, "pr.txt", revision="refs/pr/1")).read())
check("download local only", lambda: sha256(hf_hub_download(model, "model.safetensors", local_files_only=True)))
check("dataset", lambda: digests(snapshot_download(plan["dataset"], repo_type="dataset")))
check("space", lambda: digests(snapshot_download(plan["space"], repo_type="space")))
check("odd names", lambda: digests(snapshot_download(odd)))
for name in plan["oddNames"]:
    check(f"odd {name}", lambda: sha256(hf_hub_download(odd, name, local_dir=f"{work}/odd")))


def verify(repo):
    hf = os.path.join(os.path.dirname(sys.executable), "hf")
    done = subprocess.run([hf, "cache", "verify", repo], capture_output=True, text=True, timeout=60)
    return {"code": done.returncode, "output": done.stdout + done.stderr}


if not huggingface_hub.__version__.startswith("0."):
    check("verify", lambda: verify(model))
    check("verify converted", lambda: verify(converted))


def info(repo, **more):
    found = api.model_info(repo, **more)
    files = [[s.rfilename, s.size, (s.lfs or {}).get("sha256") if isinstance(s.lfs or {}, dict) else s.lfs.sha256] for s in found.siblings or []]
    return {"id": found.id, "sha": found.sha, "files": sorted(files, key=lambda file: file[0]), "private": found.private, "tags": found.tags}


check("model_info", lambda: info(model))
check("model_info files", lambda: info(model, files_metadata=True))
check("model_info converted", lambda: info(converted, files_metadata=True))
check("model_info status", lambda: info(model, securityStatus=True))
check("dataset_info", lambda: api.dataset_info(plan["dataset"]).id)
check("list_repo_files", lambda: sorted(api.list_repo_files(model)))
check("list_repo_files converted", lambda: sorted(api.list_repo_files(converted)))
check("list_repo_tree", lambda: sorted(entry.path for entry in api.list_repo_tree(model, recursive=True, expand=True)))
check("list_repo_tree folder", lambda: sorted(entry.path for entry in api.list_repo_tree(model, path_in_repo="nested")))
check("list_repo_tree pages", lambda: len(list(api.list_repo_tree(plan["many"], recursive=True))))
check("file_exists", lambda: [api.file_exists(model, "config.json"), api.file_exists(model, "no.json"), api.file_exists(converted, "model.safetensors")])
check("repo_exists", lambda: [api.repo_exists(model), api.repo_exists("acme/none"), api.revision_exists(model, "main"), api.revision_exists(model, "no")])
check("get_paths_info", lambda: [[entry.path, getattr(entry, "size", None)] for entry in api.get_paths_info(model, ["config.json", "nested", "no.json"])])
check("get_paths_info converted", lambda: [[entry.path, entry.size] for entry in api.get_paths_info(converted, ["model.safetensors"])])
check("list_repo_refs", lambda: sorted(branch.name for branch in api.list_repo_refs(model).branches))
check("list_repo_commits", lambda: [commit.commit_id for commit in api.list_repo_commits(model)])
check("whoami", lambda: api.whoami(token=plan["token"])["name"])
check("auth_check", lambda: api.auth_check(model))
check("list_models", lambda: model in [found.id for found in api.list_models()])


def metadata(repo):
    found = get_safetensors_metadata(repo)
    return {"sharded": found.sharded, "files": sorted(found.files_metadata), "tensors": len(found.weight_map)}


check("safetensors metadata", lambda: metadata(model))
check("safetensors metadata converted", lambda: metadata(converted))

fs = HfFileSystem()
check("fs ls", lambda: sorted(fs.ls(model, detail=False)))
check("fs glob", lambda: sorted(fs.glob(f"{model}/**/*.json")))
check("fs info", lambda: fs.info(f"{model}/model.safetensors")["size"])
check("fs cat", lambda: fs.cat_file(f"{model}/model.safetensors", start=8, end=20).hex())
check("fs cat end", lambda: fs.cat_file(f"{model}/model.safetensors", start=-7).hex())
check("fs exists", lambda: [fs.exists(f"{model}/config.json"), fs.exists(f"{model}/no.json")])


def seek(path):
    with fs.open(path, "rb", block_size=1024) as file:
        file.seek(100)
        first = file.read(10)
        file.seek(-10, 2)
        return [first.hex(), file.read().hex()]


check("fs seek", lambda: seek(f"{model}/model.safetensors"))
check("fs converted", lambda: hashlib.sha256(fs.cat_file(f"{converted}/model.safetensors")).hexdigest())


def errors(endpoint):
    """What each wrong question ends with."""
    found = {}
    there = HfApi(endpoint=endpoint)
    cases = {
        "no file": lambda: hf_hub_download(model, "no.json", endpoint=endpoint, cache_dir=f"{work}/e"),
        "no revision": lambda: hf_hub_download(model, "config.json", revision="no", endpoint=endpoint, cache_dir=f"{work}/e"),
        "no repo": lambda: hf_hub_download("acme/none", "config.json", endpoint=endpoint, cache_dir=f"{work}/e"),
        "no repo with token": lambda: hf_hub_download("acme/none", "config.json", endpoint=endpoint, token=plan["token"], cache_dir=f"{work}/e"),
        "no repo info": lambda: there.model_info("acme/none"),
        "no revision info": lambda: there.model_info(model, revision="no"),
        "no folder": lambda: list(there.list_repo_tree(model, path_in_repo="no")),
        "no snapshot": lambda: snapshot_download("acme/none", endpoint=endpoint, cache_dir=f"{work}/e"),
        "gated": lambda: hf_hub_download(plan["gated"], "config.json", endpoint=endpoint, cache_dir=f"{work}/e"),
        "gated with token": lambda: hf_hub_download(plan["gated"], "config.json", endpoint=endpoint, token=plan["token"], cache_dir=f"{work}/e"),
        "gated readme": lambda: hf_hub_download(plan["gated"], "README.md", endpoint=endpoint, cache_dir=f"{work}/e"),
        "gated check": lambda: there.auth_check(plan["gated"], token=plan["token"]),
        "private": lambda: hf_hub_download(plan["private"], "config.json", endpoint=endpoint, cache_dir=f"{work}/e"),
        "private with token": lambda: hf_hub_download(plan["private"], "config.json", endpoint=endpoint, token=plan["token"], cache_dir=f"{work}/e"),
        "private snapshot": lambda: snapshot_download(plan["private"], endpoint=endpoint, token=plan["token"], cache_dir=f"{work}/e"),
        "private info": lambda: there.model_info(plan["private"], token=plan["token"]),
        "bad token": lambda: there.whoami(token="hf_wrong"),
        "bad token download": lambda: hf_hub_download(model, "config.json", endpoint=endpoint, token="hf_wrong", cache_dir=f"{work}/e"),
        "disabled": lambda: hf_hub_download(plan["disabled"], "config.json", endpoint=endpoint, cache_dir=f"{work}/e"),
    }
    for name, case in cases.items():
        shutil.rmtree(f"{work}/e", ignore_errors=True)
        try:
            case()
            found[name] = {"error": None, "text": ""}
        except Exception as error:
            found[name] = {"error": type(error).__name__, "text": str(error)}
    return found


# The permitted caller first: what it brought into the cache must not open the door for the others.
check("permitted", lambda: [sha256(hf_hub_download(repo, "config.json", token=plan["allowed"], cache_dir=f"{work}/p")) for repo in (plan["gated"], plan["private"])])
check("permitted snapshot", lambda: digests(snapshot_download(plan["private"], token=plan["allowed"], cache_dir=f"{work}/p")))
check("errors", lambda: errors(os.environ["HF_ENDPOINT"]))
check("errors direct", lambda: errors(plan["direct"]))
check("permitted again", lambda: [sha256(hf_hub_download(repo, "config.json", token=plan["allowed"], cache_dir=f"{work}/q")) for repo in (plan["gated"], plan["private"])])

if plan["datasets"]:
    import datasets

    datasets.disable_progress_bars()
    for kind in ("csv", "json", "parquet"):
        check(f"load_dataset {kind}", lambda: datasets.load_dataset(f"acme/rows-{kind}", split="train").to_list())
    check("load_dataset streaming", lambda: list(datasets.load_dataset("acme/rows-csv", split="train", streaming=True)))

finish()
