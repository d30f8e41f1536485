import { useQuery } from "@tanstack/react-query";
import { ArrowRight, GraduationCap } from "lucide-react";
import { Link, useParams } from "react-router";
import { api } from "../../api/endpoints";
import type { Feedback } from "../../api/types";
import { counted, percent } from "../kit/format";
import { Badge, buttonClass, ErrorPage, Loading, Note, TableScroll } from "../kit/kit";
import { usePageTitle } from "../usePageTitle";

/** What a trainee is told of a gold picture: each object, and what was missed. */
export function FeedbackPage() {
  const id = Number(useParams().taskId);
  const task = useQuery({ queryKey: ["task", id], queryFn: () => api.task(id) });
  const dataset = useQuery({
    queryKey: ["dataset", task.data?.image.dataset],
    queryFn: () => api.dataset(task.data?.image.dataset ?? 0),
    enabled: task.data !== undefined,
  });
  usePageTitle("Training");
  const failed = [task, dataset].find((query) => query.isLoadingError);
  if (failed) return <ErrorPage error={failed.error} retry={() => void failed.refetch()} />;
  if (!task.data || !dataset.data) return <Loading label="Comparing your masks" />;
  const { image, feedback } = task.data;
  return (
    <main className="page" id="content">
      <div className="page__head">
        <div className="grow">
          <p className="small crumb">
            <Link to={`/datasets/${image.dataset}`}>{dataset.data.name}</Link>
          </p>
          <div className="row">
            <GraduationCap size={26} aria-hidden />
            <h1>Training: {image.file_name}</h1>
          </div>
        </div>
        <Link className={buttonClass("primary", "large")} to={`/datasets/${image.dataset}/label`}>
          Next picture
          <ArrowRight size={17} aria-hidden />
        </Link>
      </div>
      {feedback ? (
        <Result feedback={feedback} bar={dataset.data.training_iou} />
      ) : (
        <Note>There is no feedback here.</Note>
      )}
      <div className="training__picture card">
        <img src={image.file_url} alt={image.file_name} />
        {image.overlay_url && <img src={image.overlay_url} alt="" />}
      </div>
      <p className="muted small">The colours show the gold masks of this picture.</p>
    </main>
  );
}

function Result({ feedback, bar }: { feedback: Feedback; bar: number }) {
  const mean = feedback.mean_iou ?? 0;
  const { missed, extra, pairs } = feedback;
  return (
    <div className="stack training__result">
      <Note tone={mean >= bar ? "good" : "warn"}>
        Mean IoU {mean.toFixed(2)}; {percent(bar)} is asked for on average.{" "}
        {missed > 0 && `${counted(missed, "object")} missed: each counts as 0. `}
        {extra > 0 && `${counted(extra, "mask")} without a gold partner.`}
      </Note>
      {pairs.length > 0 && (
        <TableScroll label="Your masks" card>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Object</th>
                <th scope="col" className="number">
                  IoU with the gold mask
                </th>
                <th scope="col">
                  <span className="sr-only">Verdict</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {pairs.map((pair, index) => (
                <tr key={pair.mask}>
                  <td>{index + 1}</td>
                  <td className="number">{pair.iou.toFixed(3)}</td>
                  <td>
                    <Badge tone={pair.iou >= bar ? "good" : "warn"}>{pair.iou >= bar ? "Good" : "Look again"}</Badge>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </div>
  );
}
