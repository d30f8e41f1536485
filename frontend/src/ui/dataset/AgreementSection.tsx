import { useQuery } from "@tanstack/react-query";
import { Users } from "lucide-react";
import { api } from "../../api/endpoints";
import { counted, percent } from "../kit/format";
import { EmptyState, ErrorState, Loading } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { OverlapList } from "./OverlapList";

/** How well two people agree who masked the same pictures without seeing one another's masks. */
export function AgreementSection() {
  const dataset = useDataset();
  const agreement = useQuery({ queryKey: ["agreement", dataset.id], queryFn: () => api.agreement(dataset.id) });
  if (agreement.isPending) return <Loading label="Loading the agreement" />;
  if (agreement.isLoadingError) return <ErrorState error={agreement.error} retry={() => void agreement.refetch()} />;
  const { images, pairs, only_first, only_second, mean_iou, found_by_both, waiting } = agreement.data;
  return (
    <section className="stack" aria-labelledby="agreement">
      <div className="stack stack--small">
        <h2 id="agreement">Two people</h2>
        <p className="muted small prose">
          A share of the pictures is masked by a second person, who sees nothing of the first. Masks that share more
          than half are the same object. The share is set on the tab Stages, under Queue.
          {waiting > 0 && ` ${counted(waiting, "picture")} wait for their second person.`}
        </p>
      </div>
      {images === 0 ? (
        <EmptyState icon={Users} title="Nothing to compare yet">
          {dataset.overlap_share > 0
            ? `${percent(dataset.overlap_share)} of the pictures are offered a second time once they are submitted.`
            : "No picture is masked twice so far."}
        </EmptyState>
      ) : (
        <div className="card card--pad stack">
          <div className="facts">
            <div>
              <span className="fact__value">{mean_iou === null ? "–" : mean_iou.toFixed(3)}</span>
              <span className="fact__label">mean IoU of what both masked</span>
            </div>
            <div>
              <span className="fact__value">{found_by_both === null ? "–" : percent(found_by_both)}</span>
              <span className="fact__label">of all objects masked by both</span>
            </div>
          </div>
          <p className="muted small">
            {counted(images, "picture")}: {counted(pairs, "object")} by both, {only_first} by the first person only,{" "}
            {only_second} by the second only.
          </p>
        </div>
      )}
      {images > 0 && <OverlapList />}
    </section>
  );
}
