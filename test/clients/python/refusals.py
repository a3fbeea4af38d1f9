"""How each call of a Python client fails when the policy refuses what it wants."""
import huggingface_hub
from huggingface_hub import HfApi, HfFileSystem, get_safetensors_metadata, hf_hub_download, snapshot_download

work = os.environ["HOME"]
evil, mixed, late = "acme/evil", "acme/mixed", "acme/late"
api = HfApi()
results["version"] = huggingface_hub.__version__

check("download", lambda: hf_hub_download(evil, "pytorch_model.bin"))
check("download converted", lambda: hf_hub_download(evil, "model.safetensors"))
check("download config", lambda: hf_hub_download(evil, "config.json"))
check("snapshot", lambda: snapshot_download(evil))
check("snapshot local_dir", lambda: snapshot_download(evil, local_dir=f"{work}/local"))
check("model_info", lambda: api.model_info(evil).id)
check("fs", lambda: HfFileSystem().cat_file(f"{evil}/pytorch_model.bin"))
check("mixed good", lambda: sha256(hf_hub_download(mixed, "model.safetensors")))
check("mixed bad", lambda: hf_hub_download(mixed, "extra.pkl"))
check("mixed snapshot", lambda: snapshot_download(mixed))
check("mixed bad head", lambda: api.file_exists(mixed, "extra.pkl"))
check("dataset", lambda: hf_hub_download("acme/poison", "train.csv", repo_type="dataset"))
check("left behind", lambda: sorted(name for name in digests(f"{work}/hf") if name.endswith((".bin", ".pkl", ".csv"))))

if plan["transformers"]:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    check("AutoConfig", lambda: AutoConfig.from_pretrained(evil).hidden_size)
    check("AutoTokenizer", lambda: type(AutoTokenizer.from_pretrained(evil)).__name__)
    if plan["torch"]:
        check("AutoModel", lambda: type(AutoModel.from_pretrained(evil)).__name__)
        check("late", lambda: type(AutoModel.from_pretrained(late)).__name__)
        check("late again", lambda: type(AutoModel.from_pretrained(late)).__name__)

if plan["datasets"]:
    import datasets

    datasets.disable_progress_bars()
    check("load_dataset", lambda: datasets.load_dataset("acme/poison", split="train").to_list())
    check("load_dataset streaming", lambda: list(datasets.load_dataset("acme/poison", split="train", streaming=True)))

finish()
