import { api } from "../../api/endpoints";
import { useChange } from "../kit/useChange";
import { useDataset } from "./DatasetPage";
import { FrameRate } from "./FrameRate";
import { type Rights, RightsFields } from "./RightsFields";
import { ServerFolder } from "./ServerFolder";
import { UrlList } from "./UrlList";

interface Props {
  rights: Rights;
  change: (rights: Rights) => void;
  /** Frames of a second that are taken of a video, as text. */
  rate: string;
  changeRate: (rate: string) => void;
  maxVideoFrames: number | null;
}

/** What pictures and videos that are added next get: rights, frames, and whether faces are blurred. */
export function IntakeSettings({ rights, change, rate, changeRate, maxVideoFrames }: Props) {
  const dataset = useDataset();
  const blur = useChange((on: boolean) => api.changeDataset(dataset.id, { blur_faces: on }), [["dataset", dataset.id]]);
  return (
    <details className="intake">
      <summary>Rights and privacy of what you add, frames of videos, and other sources</summary>
      <div className="card card--pad stack">
        <RightsFields value={rights} change={change} />
        <FrameRate value={rate} change={changeRate} limit={maxVideoFrames} />
        <ServerFolder rights={rights} />
        <UrlList rights={rights} />
        <label className="row intake__blur">
          <input
            type="checkbox"
            checked={dataset.blur_faces}
            disabled={blur.isPending}
            onChange={(event) => blur.mutate(event.target.checked)}
          />
          <span>
            Blur faces before anybody sees a picture
            <span className="muted small intake__hint">
              Holds for this dataset from now on; originals are not kept. The built-in detector finds upright faces seen
              from the front and misses many others: look through what matters.
            </span>
          </span>
        </label>
      </div>
    </details>
  );
}
