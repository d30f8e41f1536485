import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useParams } from "react-router";
import { itemFromRecord } from "../../actions/records";
import { api } from "../../api/endpoints";
import type { MaskProvenance } from "../../api/types";
import { ago, counted, short } from "../kit/format";
import { Badge, ErrorState, Loading } from "../kit/kit";
import { MaskPicture } from "../MaskPicture";
import { usePageTitle } from "../usePageTitle";
import { useDataset } from "./DatasetPage";
import { Descent, Uses } from "./Descent";
import { stageTitle } from "./stageNames";

const SOURCES: Record<MaskProvenance["mask"]["source"], string> = {
  model: "by the model",
  model_edited: "by the model, edited",
  hand: "by hand",
  imported: "imported",
};

/** One mask: who and what made it, and which models learnt from it. */
export function MaskPage() {
  const dataset = useDataset();
  const id = useParams().maskId ?? "";
  const origin = useQuery({ queryKey: ["provenance", id], queryFn: () => api.maskProvenance(id) });
  usePageTitle("Provenance of a mask");
  if (origin.isPending) return <Loading label="Loading the mask" />;
  if (origin.isLoadingError) return <ErrorState error={origin.error} retry={() => void origin.refetch()} />;
  const { mask, descent, uses, offered_by, file_name } = origin.data;
  return (
    <div className="stack stack--large">
      <section className="stack stack--small" aria-labelledby="mask">
        <p className="small crumb">
          <Link to={`/images/${mask.image}`}>{file_name}</Link>
        </p>
        <div className="row">
          <h2 id="mask">{mask.category || "Mask"}</h2>
          <Badge tone={mask.status === "accepted" ? "good" : undefined}>{mask.status}</Badge>
          <Badge>{stageTitle(mask.stage)}</Badge>
          <Link to={`/datasets/${dataset.id}/objects/alike?like=${mask.id}`}>More like this</Link>
        </div>
      </section>
      <div className="columns">
        <section className="card card--pad stack" aria-labelledby="made">
          <h2 id="made">How it was made</h2>
          <Picture id={id} image={mask.image} />
          <History provenance={origin.data} />
        </section>
        <div className="stack">
          <section className="card card--pad stack" aria-labelledby="offered">
            <h2 id="offered">The model that offered it</h2>
            {descent.length > 0 ? (
              <Descent steps={descent} label="Descent of the model" />
            ) : (
              <p className="muted">
                {offered_by
                  ? `A model that this dataset does not know: ${short(offered_by.model)}.`
                  : "None: it was drawn or imported."}
              </p>
            )}
          </section>
          <section className="card card--pad stack" aria-labelledby="used">
            <h2 id="used">What learnt from it</h2>
            <Uses uses={uses} />
          </section>
        </div>
      </div>
      <p className="muted small">
        The same as data: <a href={`/api/masks/${id}/provenance/`}>/api/masks/{short(id)}…/provenance/</a> of{" "}
        {dataset.name}
      </p>
    </div>
  );
}

function Picture({ id, image }: { id: string; image: number }) {
  const record = useQuery({ queryKey: ["mask", id], queryFn: () => api.mask(id) });
  const [picture, setPicture] = useState<HTMLImageElement | null>(null);
  useEffect(() => {
    const element = new Image();
    element.onload = () => setPicture(element);
    element.src = `/api/images/${image}/file/`;
    return () => {
      element.onload = null;
    };
  }, [image]);
  if (!record.data) return null;
  return <MaskPicture image={picture} item={itemFromRecord(record.data)} against={null} label="The mask" />;
}

/** All versions of the object, newest first. */
function History({ provenance }: { provenance: MaskProvenance }) {
  const dataset = useDataset();
  return (
    <ol className="descent" aria-label="Versions of the mask">
      {provenance.history.toReversed().map((one) => (
        <li key={one.id}>
          <p>
            {one.id === provenance.mask.id ? (
              <b>This one</b>
            ) : (
              <Link to={`/datasets/${dataset.id}/masks/${one.id}`}>{one.status}</Link>
            )}{" "}
            <span className="muted">
              {SOURCES[one.source]}, {one.created_by ?? "no person"}
            </span>
          </p>
          <p className="muted small">
            {ago(one.created_at)}
            {one.seconds > 0 && `, in ${one.seconds.toFixed(1)} s`}
            {one.edits > 0 && `, ${counted(one.edits, "stroke")}`}
          </p>
        </li>
      ))}
    </ol>
  );
}
