"""The official client against the Hub that HF_ENDPOINT names. Prints one JSON object.

client.py download <repo> [pattern...]
client.py upload <folder> <repo> <message>
client.py dataset <repo> [keyword=value...]
"""

import json
import os
import sys

command, *arguments = sys.argv[1:]

if command == "download":
    from huggingface_hub import snapshot_download

    repo, *patterns = arguments
    path = snapshot_download(repo, allow_patterns=patterns or None)
    files = {}
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            files[os.path.relpath(full, path)] = os.path.relpath(os.path.realpath(full), os.environ["HF_HUB_CACHE"])
    print(json.dumps({"path": path, "files": files}))
elif command == "upload":
    from huggingface_hub import HfApi

    folder, repo, message = arguments
    api = HfApi()
    api.create_repo(repo, private=True)
    info = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    print(json.dumps({"oid": info.oid, "files": sorted(api.list_repo_files(repo))}))
elif command == "dataset":
    from datasets import load_dataset

    repo, *keywords = arguments
    options = dict(keyword.split("=", 1) for keyword in keywords)
    splits = load_dataset(repo, **{key: json.loads(value) for key, value in options.items()})
    print(json.dumps({split: rows.to_list() for split, rows in splits.items()}))
else:
    sys.exit(__doc__)
