"""The four journeys on real processes: upload to ready, click to saved, masks to a better model, dataset to export."""

import io
import json
import uuid
import zipfile

import numpy as np
import pytest
from pycocotools.coco import COCO

from modelzoo import rle
from tests.journeys.conftest import label_everything
from tests.journeys.product import Answer

pytestmark = pytest.mark.journey


def ready_embedding(product, image_id):
    def ask():
        found = product.get(f"/api/images/{image_id}/embedding/")
        assert found["state"] != "failed", found
        return found if found["state"] == "ready" else None

    return product.wait(f"the embedding of image {image_id}", ask)


def test_the_sample_dataset_waits_with_its_first_pictures_encoded(product):
    [sample] = [one for one in product.get("/api/datasets/")["results"] if one["name"] == "Sample pictures"]
    assert sample["image_count"] >= 8
    task = product.send("POST", f"/api/datasets/{sample['id']}/tasks/next/")
    assert product.get(f"/api/images/{task['image']['id']}/embedding/")["state"] == "ready"
    assert task["image"]["licence"]
    product.send("POST", f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]})


def test_an_uploaded_picture_can_be_clicked_and_the_mask_stays(product, dataset):
    image = dataset["images"][0]
    embedding = ready_embedding(product, image["id"])
    size = sum(int(np.prod(entry["shape"])) for entry in embedding["layout"]) * 2
    assert len(product.download(embedding["url"])) == size
    task = product.send("POST", f"/api/images/{image['id']}/task/")
    prompts = {"points": [[96, 120]], "labels": [1], "multimask": True}
    answer = product.send("POST", f"/api/images/{image['id']}/predict/", prompts)
    assert len(answer["candidates"]) == 3
    chosen = answer["candidates"][0]
    mask = {
        "image": image["id"],
        "segmentation": chosen["segmentation"],
        "source": "model",
        "prompts": [{"type": "point", "x": 96, "y": 120, "label": 1}],
        "chosen": 0,
        "predicted_iou": chosen["predicted_iou"],
        "model": answer["model"],
        "seconds": 4.2,
        "task": task["id"],
    }
    identity = str(uuid.uuid4())
    saved = product.send("PUT", f"/api/masks/{identity}/", mask)
    again = product.send("PUT", f"/api/masks/{identity}/", mask)
    assert saved == again
    [found] = product.get(f"/api/images/{image['id']}/masks/")
    assert found["segmentation"] == chosen["segmentation"]
    decoded = rle.decode(found["segmentation"])
    assert found["area"] == int(decoded.sum())
    product.send("DELETE", f"/api/masks/{identity}/")
    assert product.get(f"/api/images/{image['id']}/masks/") == []
    done = {"lease": task["lease"], "seconds": 5, "answer": "nothing_left"}
    product.send("POST", f"/api/tasks/{task['id']}/submit/", done)


def test_a_mask_that_does_not_fit_is_refused_in_a_sentence(product, dataset):
    image = dataset["images"][1]
    body = {"image": image["id"], "segmentation": {"size": [240, 320], "counts": "52"}, "source": "hand"}
    with pytest.raises(Answer) as refused:
        product.send("PUT", f"/api/masks/{uuid.uuid4()}/", body)
    assert refused.value.status == 400
    assert refused.value.body["message"].endswith(".")
    assert product.get(f"/api/images/{image['id']}/masks/") == []


def test_masks_become_a_model_that_is_judged_and_can_be_restored(product, dataset):
    base = f"/api/datasets/{dataset['id']}"
    with pytest.raises(Answer) as too_early:
        product.send("POST", f"{base}/training-runs/")
    assert too_early.value.status in (400, 409)
    label_everything(product, dataset)
    loop = product.get(f"{base}/loop/")
    assert loop["can_retrain"], loop
    before = loop["serving"]["digest"]
    run = product.send("POST", f"{base}/training-runs/")

    def finished():
        found = product.get(f"/api/training-runs/{run['id']}/")
        assert found["state"] != "failed", found
        return found if found["decision"] else None

    run = product.wait("a decision about the candidate", finished, 400)
    assert {one["role"] for one in run["evaluations"]} == {"candidate", "serving"}
    assert all(0 <= one["summary"]["miou_1"] <= 1 for one in run["evaluations"])
    assert run["decision"]["reason"].endswith(".")
    assert run["decision"]["kind"] in ("promote", "refuse")
    serving = product.get(f"{base}/loop/")["serving"]["digest"]
    assert (serving == run["candidate"]) is (run["decision"]["kind"] == "promote")
    judged = {version["digest"]: version["metrics"] for version in product.get(f"{base}/models/")}
    assert judged[before]["miou_1"] is not None, "the serving version was judged as well"
    other = before if serving != before else run["candidate"]
    product.send("POST", f"{base}/models/{other}/restore/")
    assert product.get(f"{base}/loop/")["serving"]["digest"] == other


@pytest.mark.parametrize("export_format", ["coco", "sa1b"])
def test_an_export_holds_what_the_screen_showed(product, dataset, tmp_path, export_format):
    job = product.send("POST", f"/api/datasets/{dataset['id']}/exports/", {"format": export_format})

    def finished():
        found = product.get(f"/api/jobs/{job['id']}/")
        assert found["state"] not in ("failed", "cancelled"), found
        return found["state"] == "succeeded"

    product.wait("the export", finished)
    archive = zipfile.ZipFile(io.BytesIO(product.download(f"/api/exports/{job['id']}/download/")))
    archive.extractall(tmp_path)
    shown = {}
    for image in dataset["images"]:
        for mask in product.get(f"/api/images/{image['id']}/masks/"):
            shown.setdefault(image["file_name"], []).append(rle.decode(mask["segmentation"]))
    if export_format == "coco":
        [annotations] = [path for path in tmp_path.rglob("*.json") if "annotations" in json.loads(path.read_text())]
        coco = COCO(str(annotations))
        exported = {}
        for annotation in coco.dataset["annotations"]:
            name = coco.imgs[annotation["image_id"]]["file_name"].rsplit("/", 1)[-1]
            exported.setdefault(name, []).append(coco.annToMask(annotation).astype(bool))
        assert len(exported) == len(shown) == 24
        masks = [mask for found in exported.values() for mask in found]
        wanted = [mask for found in shown.values() for mask in found]
    else:
        records = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
        records = [record for record in records if set(record) >= {"image", "annotations"}]
        masks = [rle.decode(one["segmentation"]) for record in records for one in record["annotations"]]
        wanted = [mask for found in shown.values() for mask in found]
    assert sorted(mask.tobytes() for mask in masks) == sorted(mask.tobytes() for mask in wanted)


def test_a_second_start_loses_nothing(product, dataset):
    before = product.get(f"/api/datasets/{dataset['id']}/")
    product.stop()
    product.wait("the end of every process", lambda: not product.processes(), 20)
    product.log.write_text("")
    product.start(seconds=900)  # a busy machine is slow, not broken
    assert product.get(f"/api/datasets/{dataset['id']}/")["mask_count"] == before["mask_count"]
