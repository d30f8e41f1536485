import type { Detector } from "../../api/types";
import { percent } from "../kit/format";

/** What finds masks in the machine's stages and how sure it must be; what came of it on held-out images. */
export function DetectorFigures({ detector }: { detector: Detector | null }) {
  if (!detector) {
    return (
      <p className="muted small">
        Masks of the machine: by a grid of points. The next retraining trains a detector on the masks of this dataset
        and fits to the model how sure it must be.
      </p>
    );
  }
  const { metrics } = detector;
  const share = (name: string) => (metrics[name] == null ? "–" : percent(metrics[name]));
  return (
    <div className="small">
      <p>
        <b>Semi-automatic proposals: by a detector</b>{" "}
        <span className="muted">
          {detector.threshold > 1
            ? `no bar makes half of them right on validation images: nothing is proposed`
            : detector.calibrated
              ? `proposed from a chance of ${percent(detector.threshold)}, so that ${percent(detector.precision)} are right (IoU ${detector.right_iou})`
              : "too few validation masks to choose a threshold on: the plain score decides"}
        </span>
      </p>
      <p>
        <b>Automatic masks: {detector.gates ? "by the detector and a grid" : "by the detector alone"}</b>{" "}
        <span className="muted">
          {detector.gates
            ? `the grid's from a predicted IoU of ${detector.gates.pred_iou_thresh.toFixed(2)} and a stability of ${detector.gates.stability_score_thresh.toFixed(2)}: ${detector.gates.right} of ${detector.gates.kept} such masks on ${detector.gates.pictures} validation images were right`
            : `no bar makes ${percent(detector.precision)} of the grid's masks right on validation images`}
        </span>
      </p>
      {metrics.proposed != null && (
        <p className="muted">
          On {metrics.held_out_images} held-out images: {metrics.proposed.toFixed(1)} proposals an image,{" "}
          {share("right_75")} with IoU 0.75, {share("right_85")} with 0.85; {share("covered_75")} of people's masks
          found. Boxes: AP50 {metrics.ap50?.toFixed(2) ?? "–"}, recall of the best 50 {share("recall_50")}.
        </p>
      )}
    </div>
  );
}
