"""Downloads of whole repos behind a hub that fails in every way, each into a cache of its own."""
from huggingface_hub import snapshot_download

work = os.environ["HOME"]


def leftovers(folder):
    """Files that a later run could take for complete downloads."""
    return {path: digest for path, digest in digests(folder).items() if "/blobs/" in path and not path.endswith(".incomplete")}


for repo in plan["repos"]:
    cache = f"{work}/cache/{repo}"
    check(repo, lambda: digests(snapshot_download(repo, cache_dir=cache)))
    results[repo]["left"] = sorted(leftovers(cache).values())
finish()
