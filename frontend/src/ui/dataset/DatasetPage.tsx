import { useQuery } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link, NavLink, Outlet, useLocation, useOutletContext, useParams } from "react-router";
import { api } from "../../api/endpoints";
import type { Dataset } from "../../api/types";
import { ago, count, counted } from "../kit/format";
import { Badge, Bar, buttonClass, ErrorPage, Loading } from "../kit/kit";
import { usePageTitle } from "../usePageTitle";
import { useWorkbench } from "../workbench";
import { STAGE_NAMES } from "./stageNames";

const TABS: { to: string; label: string; may?: (dataset: Dataset) => boolean }[] = [
  { to: ".", label: "Images" },
  { to: "videos", label: "Videos" },
  { to: "stages", label: "Stages" },
  { to: "model", label: "Model" },
  { to: "review", label: "Review" },
  { to: "quality", label: "Quality" },
  { to: "statistics", label: "Statistics" },
  { to: "objects", label: "Objects" },
  { to: "proof", label: "Proof", may: (dataset) => mayReview(dataset) },
  { to: "jobs", label: "Jobs" },
  { to: "export", label: "Export" },
  { to: "people", label: "People" },
  { to: "log", label: "Log", may: (dataset) => mayLead(dataset) },
];

/** The dataset, for the tab shown below its header. */
export const useDataset = () => useOutletContext<Dataset>();

export const mayAnnotate = (dataset: Dataset): boolean => dataset.role !== "viewer";
export const mayLead = (dataset: Dataset): boolean => dataset.role === "lead";
export const mayReview = (dataset: Dataset): boolean => dataset.role === "lead" || dataset.role === "reviewer";

export function DatasetPage() {
  const id = Number(useParams().datasetId);
  const dataset = useQuery({ queryKey: ["dataset", id], queryFn: () => api.dataset(id) });
  usePageTitle(dataset.data?.name ?? "Dataset");
  useWarmDecoder(dataset.data);
  if (dataset.isPending) return <Loading label="Loading the dataset" />;
  if (dataset.isLoadingError) return <ErrorPage error={dataset.error} retry={() => void dataset.refetch()} />;
  return (
    <main className="page" id="content">
      <Head dataset={dataset.data} />
      <Tabs dataset={dataset.data} />
      <Outlet context={dataset.data} />
    </main>
  );
}

/** The parts of the dataset; where they do not fit side by side, the one that is shown is in the middle. */
function Tabs({ dataset }: { dataset: Dataset }) {
  const bar = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another path has another tab marked.
  useEffect(() => {
    const shown = bar.current?.querySelector<HTMLElement>("[aria-current=page]");
    if (!bar.current || !shown) return;
    const left = shown.offsetLeft - bar.current.offsetLeft;
    bar.current.scrollLeft = left - (bar.current.clientWidth - shown.clientWidth) / 2;
  }, [pathname]);
  return (
    <nav ref={bar} className="tabs" aria-label="Parts of the dataset">
      {TABS.filter((tab) => tab.may?.(dataset) ?? true).map((tab) => (
        <NavLink key={tab.to} to={tab.to} end={tab.to === "."}>
          {tab.label}
        </NavLink>
      ))}
    </nav>
  );
}

/** Whoever looks at a dataset is likely to label next: the model's decoder loads meanwhile. */
function useWarmDecoder(dataset: Dataset | undefined): void {
  const { segmenter } = useWorkbench();
  const may = dataset !== undefined && mayAnnotate(dataset);
  const loop = useQuery({
    queryKey: ["loop", dataset?.id],
    queryFn: () => api.loop(dataset?.id ?? 0),
    enabled: may,
  });
  const digest = loop.data?.serving?.digest;
  useEffect(() => {
    if (may && digest) segmenter().warm(api.decoderUrl(digest));
  }, [may, digest, segmenter]);
}

function Head({ dataset }: { dataset: Dataset }) {
  const { progress } = dataset;
  const open = progress.open + progress.claimed;
  // Second looks and training come on top of what is counted here; the queue says when nothing is left.
  const more = dataset.overlap_share > 0 || dataset.training_images > 0;
  return (
    <>
      <div className="page__head">
        <div className="grow">
          <p className="small crumb">
            <Link to="/">Datasets</Link>
          </p>
          <div className="row">
            <h1>{dataset.name}</h1>
            <Badge>{STAGE_NAMES[dataset.stage]}</Badge>
          </div>
          {dataset.description && <p>{dataset.description}</p>}
        </div>
        {mayAnnotate(dataset) && (open > 0 || more) && (
          <Link className={buttonClass("primary", "large")} to={`/datasets/${dataset.id}/label`}>
            <Play size={17} aria-hidden />
            Label next image
          </Link>
        )}
      </div>
      <div className="stack stack--small dataset-numbers">
        <div className="numbers">
          <span>
            <b>{count(dataset.image_count)}</b> {dataset.image_count === 1 ? "image" : "images"}
          </span>
          <span>
            <b>{count(dataset.mask_count)}</b> {dataset.mask_count === 1 ? "mask" : "masks"}
          </span>
          <span>
            <b>{count(progress.submitted)}</b> done
          </span>
          <span>
            <b>{count(open)}</b> to label
          </span>
          {progress.skipped > 0 && (
            <span>
              <b>{count(progress.skipped)}</b> skipped
            </span>
          )}
          {dataset.counted_at && <span className="small">counted {ago(dataset.counted_at)}</span>}
        </div>
        <Bar
          value={dataset.image_count ? progress.submitted / dataset.image_count : 0}
          label={`${progress.submitted} of ${counted(dataset.image_count, "image")} done`}
        />
      </div>
    </>
  );
}
