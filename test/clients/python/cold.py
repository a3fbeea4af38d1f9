"""Downloads of whole repos that take long to arrive, with the client's own time-outs."""
from threading import Thread

from huggingface_hub import snapshot_download
from huggingface_hub.utils import tqdm

# Made by the first who asks, and missed by others who ask at the same time.
tqdm.get_lock()

# All at the same time: each waits for the hub most of the while.
work = [Thread(target=check, args=(repo, lambda repo=repo: digests(snapshot_download(repo)))) for repo in plan["repos"]]
for thread in work:
    thread.start()
for thread in work:
    thread.join()
finish()
