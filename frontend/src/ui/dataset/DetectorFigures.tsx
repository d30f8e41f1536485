import type { Detector } from "../../api/types";
import { percent } from "../kit/format";

/** What the detector of proposals can do, in two lines: on held-out images that no training has seen. */
export function DetectorFigures({ detector }: { detector: Detector | null }) {
  if (!detector) {
    return (
      <p className="muted small">
        Semi-automatic proposals: by a grid of points. The next retraining trains a detector on the masks of this
        dataset.
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
          {detector.calibrated
            ? `proposed from a chance of ${percent(detector.threshold)}, so that ${percent(detector.precision)} are right (IoU ${detector.right_iou})`
            : "too few validation masks to choose a threshold on: the plain score decides"}
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
