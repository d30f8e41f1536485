import { ArrowRight, ImageOff, Layers, Plus } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { Dataset } from "../../api/types";
import { counted } from "../kit/format";
import { Badge, Bar, Button, buttonClass, EmptyState, ErrorState } from "../kit/kit";
import { More, usePages } from "../kit/pages";
import { lastWork } from "../lastWork";
import { usePageTitle } from "../usePageTitle";
import { CreateDatasetDialog } from "./CreateDatasetDialog";
import { FirstSteps } from "./FirstSteps";
import { Waiting } from "./Waiting";

export function DatasetsPage() {
  usePageTitle("Datasets");
  const datasets = usePages({ queryKey: ["datasets"], queryFn: api.datasets });
  const [creating, setCreating] = useState(false);
  const list = datasets.data ?? [];
  return (
    <main className="page" id="content">
      <div className="page__head">
        <div>
          <h1>Datasets</h1>
          <p>Pictures, the masks on them, and the model that learns from both.</p>
        </div>
        <Button icon={Plus} look={list.length === 0 ? undefined : "primary"} onClick={() => setCreating(true)}>
          New dataset
        </Button>
      </div>
      <FirstSteps datasets={list} />
      <Waiting />
      <Continue datasets={list} />
      {datasets.isPending && <Skeletons />}
      {datasets.isLoadingError && <ErrorState error={datasets.error} retry={() => void datasets.refetch()} />}
      {datasets.data?.length === 0 && (
        <EmptyState
          icon={Layers}
          title="Your first dataset"
          action={
            <Button look="primary" icon={Plus} onClick={() => setCreating(true)}>
              New dataset
            </Button>
          }
        >
          A dataset holds pictures of one kind. Create one, drop pictures into it, and click the objects you want masks
          of.
        </EmptyState>
      )}
      <ul className="cards">
        {list.map((dataset) => (
          <li key={dataset.id}>
            <DatasetCard dataset={dataset} />
          </li>
        ))}
      </ul>
      <More list={datasets} onSight>
        Show more
      </More>
      {creating && <CreateDatasetDialog onClose={() => setCreating(false)} />}
    </main>
  );
}

function DatasetCard({ dataset }: { dataset: Dataset }) {
  const { progress } = dataset;
  const total = dataset.image_count;
  return (
    <Link to={`/datasets/${dataset.id}`} className="card dataset-card">
      {dataset.cover ? (
        <img className="dataset-card__cover" src={dataset.cover} alt="" loading="lazy" />
      ) : (
        <div className="dataset-card__cover">
          <ImageOff size={28} aria-hidden />
        </div>
      )}
      <div className="dataset-card__body">
        <div className="row row--between">
          <h2>{dataset.name}</h2>
          <Badge>{dataset.role}</Badge>
        </div>
        <div className="numbers">
          <span>{counted(total, "image")}</span>
          <span>{counted(dataset.mask_count, "mask")}</span>
        </div>
        <Bar value={total ? progress.submitted / total : 0} label={`${progress.submitted} of ${total} images done`} />
        <span className="muted small">
          {total === 0 ? "No pictures yet" : `${progress.submitted} of ${total} images done`}
        </span>
      </div>
    </Link>
  );
}

/** What waits for me: the image I had open last, else a dataset with open images. */
function Continue({ datasets }: { datasets: Dataset[] }) {
  const last = lastWork();
  const waiting = datasets.find((one) => one.id === last?.dataset) ?? datasets.find((one) => one.progress.open > 0);
  if (!waiting || waiting.role === "viewer" || waiting.progress.open + waiting.progress.claimed === 0) return null;
  const open = waiting.progress.open + waiting.progress.claimed;
  const image = last?.dataset === waiting.id ? last.image : null;
  return (
    <section className="card continue" aria-label="Continue">
      {(image?.thumbnail ?? waiting.cover) && <img src={image?.thumbnail ?? waiting.cover ?? ""} alt="" />}
      <div className="grow">
        <h2>{image ? `Continue with ${image.name}` : `Start with ${waiting.name}`}</h2>
        <p className="muted small">
          {waiting.name}: {counted(open, "image")} to label
        </p>
      </div>
      <Link
        className={buttonClass("primary")}
        to={image ? `/images/${image.id}` : `/datasets/${waiting.id}/label`}
        // Begins with the words that are seen: people who speak their commands say those.
        aria-label={image ? `Continue with ${image.name}` : `Label next image of ${waiting.name}`}
      >
        <span className="wide-only">{image ? "Continue" : "Label next image"}</span>
        <ArrowRight size={17} aria-hidden />
      </Link>
    </section>
  );
}

function Skeletons() {
  return (
    <div className="cards" role="status" aria-label="Loading datasets">
      {["a", "b", "c"].map((key) => (
        <div key={key} className="card dataset-card">
          <div className="dataset-card__cover skeleton" />
          <div className="dataset-card__body">
            <div className="skeleton">&nbsp;</div>
            <div className="skeleton">&nbsp;</div>
          </div>
        </div>
      ))}
    </div>
  );
}
