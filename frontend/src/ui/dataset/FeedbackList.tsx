import { Sparkles } from "lucide-react";
import { useMemo } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { FeedbackItem } from "../../api/types";
import { type Patch, patchArea } from "../../core/patch";
import { subtract } from "../../core/pixels";
import type { Segmentation } from "../../core/rle";
import { reasonText, VERDICTS } from "../editor/reviewWords";
import { ago, count } from "../kit/format";
import { Badge, EmptyState } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { MaskPicture, shapeOf, usePicture } from "../MaskPicture";
import { useDataset } from "./DatasetPage";

/** The caller's masks that a reviewer corrected, deleted or returned: before, after, and why. */
export function FeedbackList() {
  const dataset = useDataset();
  const list = usePages({
    queryKey: ["feedback", dataset.id],
    queryFn: (next) => api.feedback(dataset.id, next),
  });
  const empty = (
    <EmptyState icon={Sparkles} title="Nothing was found wrong">
      When a reviewer corrects or returns a mask of yours, you see here which pixels it was about, and why.
    </EmptyState>
  );
  return (
    <Paged list={list} loading="Loading what was found" empty={empty} more="Show earlier ones">
      {(items) => (
        <ul className="feedback">
          {items.map((item) => (
            <li key={item.id} className="card card--pad stack stack--small">
              <Finding item={item} />
            </li>
          ))}
        </ul>
      )}
    </Paged>
  );
}

function Finding({ item }: { item: FeedbackItem }) {
  const look = item.verdict === "" ? null : VERDICTS[item.verdict];
  const before = item.before_segmentation;
  const after = item.verdict === "returned" ? (item.suggestion ?? item.after_segmentation) : item.after_segmentation;
  return (
    <>
      <div className="row">
        {look && <Badge tone={look.tone}>{look.label}</Badge>}
        <b>{reasonText(item.reason) || "No reason given"}</b>
        <Link className="small" to={`/images/${item.image}`}>
          {item.file_name}
        </Link>
      </div>
      {item.comment && <p>“{item.comment}”</p>}
      {before && <Compare image={item.image} before={before} after={after} />}
      <p className="muted small">
        {item.decided_by}
        {item.decided_at && `, ${ago(item.decided_at)}`}
        {item.answered_at && ` · answered ${ago(item.answered_at)}`}
      </p>
    </>
  );
}

interface CompareProps {
  image: number;
  before: Segmentation;
  after: Segmentation | null;
}

/** Both versions in one frame: what only one of them has stands out, and its pixels are counted. */
function Compare({ image, before, after }: CompareProps) {
  const loaded = usePicture(image);
  const mine = useMemo(() => shapeOf(before), [before]);
  const theirs = useMemo(() => after && shapeOf(after), [after]);
  const removed = theirs ? pixels(mine.patch, theirs.patch) : 0;
  const added = theirs ? pixels(theirs.patch, mine.patch) : 0;
  return (
    <>
      <div className="compare">
        <figure>
          <MaskPicture image={loaded} item={mine} against={theirs} label="Your mask" />
          <figcaption>Yours{theirs && ` · orange: ${count(removed)} px too much`}</figcaption>
        </figure>
        {theirs && (
          <figure>
            <MaskPicture image={loaded} item={theirs} against={mine} label="As it should be" />
            <figcaption>As it should be · orange: {count(added)} px were missing</figcaption>
          </figure>
        )}
      </div>
      {removed + added === 0 && theirs && <p className="muted small">The pixels are the same.</p>}
    </>
  );
}

const pixels = (a: Patch, b: Patch): number => patchArea(subtract(a, b));
