import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Download, RefreshCw, Ruler } from "lucide-react";
import { useEffect } from "react";
import { useSearchParams } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { MeasurementsState } from "../../api/types";
import { ago, counted } from "../kit/format";
import { Button, buttonClass, EmptyState, ErrorState, Loading, Note } from "../kit/kit";
import { useShow } from "../kit/useChange";
import { CategoryChoice } from "./CategoryChoice";
import { useDataset } from "./DatasetPage";
import { MeasureFigures } from "./MeasureFigures";
import { MeasureTable } from "./MeasureTable";
import { ObjectsNav } from "./ObjectsNav";
import { ScaleForm } from "./ScaleForm";
import { UNITS } from "./units";

/** Sizes of all masks: what they come to, one by one, and as a file. */
export function MeasurementsPage() {
  const dataset = useDataset();
  const queries = useQueryClient();
  const show = useShow();
  const state = useQuery({
    queryKey: ["measure-figures", dataset.id],
    queryFn: () => api.measurementFigures(dataset.id),
    refetchInterval: (query) => (query.state.data?.measuring ? 1500 : false),
  });
  const { mutate, isError, error, isPending } = useMutation({
    mutationFn: () => api.measureMasks(dataset.id),
    onSuccess: (answer) => show(["measure-figures", dataset.id], answer),
  });
  const { data } = state;
  // Whoever looks wants today's figures; what is there already is shown meanwhile.
  const stale = data !== undefined && !data.current && !data.measuring;
  useEffect(() => {
    if (stale && !isError) mutate();
  }, [stale, isError, mutate]);
  const measuredAt = data?.measured_at;
  useEffect(() => {
    if (measuredAt) void queries.invalidateQueries({ queryKey: ["measurements", dataset.id] });
  }, [measuredAt, dataset.id, queries]);
  if (state.isPending) return <Loading label="Loading the measurements" />;
  if (state.isLoadingError) return <ErrorState error={state.error} retry={() => void state.refetch()} />;
  const { figures, measuring } = state.data;
  return (
    <section className="stack" aria-label="Measurements">
      <div className="row row--between">
        <ObjectsNav />
        <div className="row">
          <span className="muted small" role="status">
            {measuring ? "Measuring" : measuredAt ? `Measured ${ago(measuredAt)}` : ""}
          </span>
          <Button icon={RefreshCw} busy={isPending || measuring} onClick={() => mutate()}>
            Measure again
          </Button>
        </div>
      </div>
      {isError && <Note tone="bad">{messageOf(error)}</Note>}
      {!figures && !isError && <Loading label="Measuring for the first time" />}
      {figures && figures.masks === 0 && (
        <EmptyState icon={Ruler} title="Nothing to measure yet">
          Area, perimeter, length and diameter appear with the first accepted mask.
        </EmptyState>
      )}
      {figures && figures.masks > 0 && <Measured state={state.data} />}
    </section>
  );
}

function Measured({ state }: { state: MeasurementsState }) {
  const dataset = useDataset();
  const [search, setSearch] = useSearchParams();
  const chosen = { image: search.get("image"), category: search.get("category") };
  const { figures } = state;
  const set = (key: string, value: string | null) => {
    const next = new URLSearchParams(search);
    if (value === null) next.delete(key);
    else next.set(key, value);
    setSearch(next, { replace: true });
  };
  return (
    <>
      {figures && figures.without_scale > 0 && (
        <Note tone="warn">
          {counted(figures.without_scale, "mask")} on images of unknown scale cannot be told in{" "}
          {UNITS[figures.unit].plural} and {figures.without_scale === 1 ? "is" : "are"} left out of the figures.
        </Note>
      )}
      {figures && <MeasureFigures figures={figures} />}
      <ScaleForm state={state} />
      <div className="row row--between">
        <h2>Mask by mask</h2>
        <div className="row">
          {chosen.image !== null && (
            <Button size="small" onClick={() => set("image", null)}>
              Show all images
            </Button>
          )}
          <CategoryChoice value={chosen.category} onChange={(category) => set("category", category)} />
          <a className={buttonClass()} href={api.measurementsUrl(dataset.id, chosen)} download>
            <Download size={17} aria-hidden />
            CSV
          </a>
        </div>
      </div>
      <MeasureTable chosen={chosen} onImage={(image) => set("image", String(image))} />
    </>
  );
}
