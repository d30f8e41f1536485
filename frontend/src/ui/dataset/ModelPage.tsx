import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { api } from "../../api/endpoints";
import type { RunBrief, SnapshotImage } from "../../api/types";
import { ago, counted, short } from "../kit/format";
import { Badge, ErrorState, Loading } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { usePageTitle } from "../usePageTitle";
import { useDataset } from "./DatasetPage";
import { Descent, PARTS, partName, partsText } from "./Descent";
import { STATES } from "./ModelVersions";

/** One version: what it learnt from, what it comes from, what came of it. */
export function ModelPage() {
  const dataset = useDataset();
  const digest = useParams().digest ?? "";
  const origin = useQuery({
    queryKey: ["model", dataset.id, digest],
    queryFn: () => api.modelProvenance(dataset.id, digest),
  });
  const here = origin.data?.descent[0];
  usePageTitle(here?.version.name ?? "Model");
  if (origin.isPending) return <Loading label="Loading the model" />;
  if (origin.isLoadingError) return <ErrorState error={origin.error} retry={() => void origin.refetch()} />;
  if (!here) return null;
  const { version, run } = here;
  const state = STATES[version.state];
  return (
    <div className="stack stack--large">
      <section className="stack stack--small" aria-labelledby="version">
        <p className="small crumb">
          <Link to={`/datasets/${dataset.id}/model`}>Model</Link>
        </p>
        <div className="row">
          <h2 id="version">{version.name}</h2>
          <Badge tone={state.tone}>{state.label}</Badge>
        </div>
        <p className="muted small">
          <span className="mono digest">{version.digest}</span>
          <br />
          Made {ago(version.created_at)}. It offered {counted(origin.data.masks, "mask")} of this dataset.
        </p>
      </section>
      <div className="columns">
        <section className="card card--pad stack" aria-labelledby="descent">
          <h2 id="descent">Where it comes from</h2>
          <Descent steps={origin.data.descent} label="Descent" />
        </section>
        <section className="card card--pad stack" aria-labelledby="children">
          <h2 id="children">Trained from it</h2>
          {origin.data.children.length === 0 ? (
            <p className="muted">Nothing so far.</p>
          ) : (
            <Descent steps={origin.data.children} label="Trained from it" />
          )}
        </section>
      </div>
      {run?.snapshot && <Learnt snapshot={run.snapshot} />}
    </div>
  );
}

/** The snapshot of its run, image by image. */
function Learnt({ snapshot }: { snapshot: NonNullable<RunBrief["snapshot"]> }) {
  const dataset = useDataset();
  const [part, setPart] = useState("");
  const images = usePages({
    queryKey: ["snapshot", dataset.id, snapshot.digest, part],
    queryFn: (next) => api.snapshotImages(dataset.id, snapshot.digest, part, next),
  });
  return (
    <section className="stack" aria-labelledby="learnt">
      <div className="row row--between">
        <div>
          <h2 id="learnt">What it was trained and judged on</h2>
          <p className="muted small">
            {partsText(snapshot.counts)}, frozen {ago(snapshot.created_at)} as{" "}
            <span className="mono">{short(snapshot.digest)}</span>
          </p>
        </div>
        <select
          className="input input--small"
          aria-label="Part of the snapshot"
          value={part}
          onChange={(event) => setPart(event.target.value)}
        >
          <option value="">All parts</option>
          {Object.keys(PARTS).map((one) => (
            <option key={one} value={one}>
              {partName(one)}
            </option>
          ))}
        </select>
      </div>
      <Paged
        list={images}
        loading="Loading the snapshot"
        empty={<p className="muted">Nothing lies in this part.</p>}
        more="Show more images"
      >
        {(list) => (
          <ul className="snapshot" aria-label="Images of the snapshot">
            {list.map((image) => (
              <ImageCard key={image.sha256} image={image} />
            ))}
          </ul>
        )}
      </Paged>
    </section>
  );
}

function ImageCard({ image }: { image: SnapshotImage }) {
  const dataset = useDataset();
  return (
    <li className="card snapshot__image">
      {image.thumbnail_url ? (
        <Link to={`/images/${image.image}`} className="snapshot__picture">
          <img src={image.thumbnail_url} alt={image.file_name} loading="lazy" />
        </Link>
      ) : (
        <p className="snapshot__picture muted small">Deleted since</p>
      )}
      <div className="snapshot__text">
        <p className="small snapshot__name">{image.file_name || <span className="mono">{short(image.sha256)}</span>}</p>
        {image.masks.length === 0 ? (
          <p className="muted small">{partsText(image.parts)}</p>
        ) : (
          <details>
            <summary className="small muted">{partsText(image.parts)}</summary>
            <ul className="small">
              {image.masks.map((mask, at) => (
                <li key={mask.id}>
                  <Link to={`/datasets/${dataset.id}/masks/${mask.id}`}>{mask.category || `mask ${at + 1}`}</Link>
                  {mask.status !== "accepted" && <span className="muted"> {mask.status} since</span>}
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
    </li>
  );
}
