"""A checkpoint of the format before zip, which has no plan before it is whole, while it is on its way and afterwards."""
from huggingface_hub import snapshot_download

check("first", lambda: digests(snapshot_download(plan["repo"])))
check("again", lambda: digests(snapshot_download(plan["repo"])))
check("local_dir", lambda: digests(snapshot_download(plan["repo"], local_dir=f"{os.environ['HOME']}/local")))
finish()
