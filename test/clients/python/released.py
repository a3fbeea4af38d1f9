"""Asks for a held file, alone and with its repo, in a cache folder that outlives this process."""
import huggingface_hub
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

results["version"] = huggingface_hub.__version__
check("download", lambda: sha256(hf_hub_download("acme/odd", "odd.bin")))
check("snapshot", lambda: digests(snapshot_download("acme/odd")))
check("into a folder", lambda: sha256(hf_hub_download("acme/odd", "odd.bin", local_dir=plan["folder"])))
check("exists", lambda: HfApi().file_exists("acme/odd", "odd.bin"))
finish()
