import { useMutation, useQuery } from "@tanstack/react-query";
import { ScanSearch } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { ApiError } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Found, FoundMask, MaskIndex } from "../../api/types";
import { count, counted, short } from "../kit/format";
import { Badge, Bar, Button, EmptyState, ErrorState, Loading, Note } from "../kit/kit";
import { useShow } from "../kit/useChange";
import { CategoryChoice } from "./CategoryChoice";
import { mayAnnotate, mayReview, useDataset } from "./DatasetPage";
import { MaskCrop } from "./MaskCrop";
import { ObjectsNav } from "./ObjectsNav";
import { ReviewPictureButton } from "./ReviewPictureButton";

/** Masks of the whole dataset by how they look to the model: the like of one, or those least like their own kind. */
export function SimilarPage() {
  const dataset = useDataset();
  const [search, setSearch] = useSearchParams();
  const like = search.get("like");
  const category = search.get("category");
  const inReview = search.get("review") === "1";
  const set = (key: string, value: string | null) => {
    const next = new URLSearchParams(search);
    if (value === null) next.delete(key);
    else next.set(key, value);
    setSearch(next);
  };
  const index = useQuery({
    queryKey: ["mask-index", dataset.id],
    queryFn: () => api.maskIndex(dataset.id),
    refetchInterval: ({ state: { data } }) => (data?.job ? 2000 : data && settling(data) ? 10_000 : false),
  });
  const ready = index.data !== undefined && index.data.described > 0;
  const found = useQuery({
    queryKey: ["alike", dataset.id, like, category, inReview, index.data?.described],
    queryFn: () => (like ? api.similarMasks(like) : api.unusualMasks(dataset.id, category, inReview)),
    enabled: ready,
    // The picture of a new mask may have to be prepared first.
    retry: (failures, error) => failures < 20 && error instanceof ApiError && error.code === "embedding_pending",
    retryDelay: 1500,
  });
  return (
    <section className="stack" aria-labelledby="alike">
      <div className="row row--between">
        <ObjectsNav />
        {!like && (
          <div className="row">
            {mayReview(dataset) && (
              <label className="row row--tight small">
                <input type="checkbox" checked={inReview} onChange={() => set("review", inReview ? null : "1")} />
                Waiting for review
              </label>
            )}
            <CategoryChoice value={category} onChange={(name) => set("category", name)} />
          </div>
        )}
      </div>
      <div>
        <h2 id="alike">{like ? "More like this" : "Least like their own kind"}</h2>
        <p className="muted small prose">
          {like
            ? "Masks of the whole dataset in the order in which they look like the first one to the model."
            : "Accepted masks that look least like the others of their category: wrong names, wrong outlines and rare kinds come first."}
        </p>
      </div>
      {index.isLoadingError && <ErrorState error={index.error} retry={() => void index.refetch()} />}
      {index.isPending && <Loading label="Loading what is described" />}
      {index.data && <IndexState index={index.data} />}
      {found.isLoading && <Loading label="Searching" />}
      {found.isLoadingError && <ErrorState error={found.error} retry={() => void found.refetch()} />}
      {found.data && <Results found={found.data} like={like} inReview={inReview} />}
    </section>
  );
}

/** Somebody asked, but all masks are too new for it. */
const settling = (index: MaskIndex): boolean =>
  index.state !== "absent" && index.masks > 0 && index.described === 0 && !index.job;

/** How many masks can be found, and what is still to be described. */
function IndexState({ index }: { index: MaskIndex }) {
  const dataset = useDataset();
  const show = useShow();
  const describe = useMutation({
    mutationFn: () => api.describeMasks(dataset.id),
    onSuccess: (answer) => show(["mask-index", dataset.id], answer),
  });
  const job = useQuery({
    queryKey: ["job", index.job],
    queryFn: () => api.job(index.job ?? ""),
    enabled: index.job !== null,
    refetchInterval: 2000,
  });
  const start = (
    <Button look="primary" icon={ScanSearch} busy={describe.isPending} onClick={() => describe.mutate()}>
      Describe the masks
    </Button>
  );
  if (describe.isError) return <ErrorState error={describe.error} retry={() => describe.mutate()} />;
  if (index.masks === 0 && index.described === 0) {
    return (
      <EmptyState icon={ScanSearch} title="No masks yet">
        Once masks are accepted, the like of each can be found here.
      </EmptyState>
    );
  }
  if (index.state === "absent" && !index.job) {
    return (
      <EmptyState icon={ScanSearch} title="Not described yet" action={mayAnnotate(dataset) ? start : undefined}>
        A job looks once at every mask with the model; new masks follow by themselves.
        {!mayAnnotate(dataset) && " Annotators, reviewers and leads can start it."}
      </EmptyState>
    );
  }
  if (settling(index)) {
    return (
      <EmptyState icon={ScanSearch} title="Described in a moment">
        Masks are described a minute or two after they were saved. They appear here by themselves.
      </EmptyState>
    );
  }
  const other = index.model !== index.serving;
  return (
    <div className="stack stack--small">
      {index.job && (
        <>
          <Bar value={job.data?.progress || null} label="Progress of describing" />
          <p className="muted small" role="status">
            {job.data?.state === "queued" ? "Waiting for a worker" : (job.data?.message ?? "Describing masks")}
          </p>
        </>
      )}
      {other && index.model && (
        <Note>
          The model was switched: until all masks are described anew, version {short(index.model)} is searched.
        </Note>
      )}
      {index.described >= index.most && (
        <Note tone="warn">The first {count(index.most)} masks are searched; later ones are not.</Note>
      )}
    </div>
  );
}

function Results({ found, like, inReview }: { found: Found; like: string | null; inReview: boolean }) {
  const { results, index, seconds } = found;
  return (
    <>
      <p className="muted small" role="status">
        {counted(results.length, "mask")} of {count(index.described)} described, searched in {seconds.toFixed(2)} s.
      </p>
      {results.length === 0 && (
        <p className="muted">
          {inReview
            ? "No picture with described masks waits for review; a category needs five masks to have an odd one."
            : "Nothing to show: a category needs five masks to have an odd one."}
        </p>
      )}
      <ol className="found">
        {like && <Wanted id={like} />}
        {results.map((mask) => (
          <FoundCard key={mask.id} mask={mask} review={inReview && !like} />
        ))}
      </ol>
    </>
  );
}

/** The mask that was asked about, before its like. */
function Wanted({ id }: { id: string }) {
  const mask = useQuery({ queryKey: ["mask", id], queryFn: () => api.mask(id) });
  const image = useQuery({
    queryKey: ["image", mask.data?.image],
    queryFn: () => api.image(mask.data?.image ?? 0),
    enabled: mask.data !== undefined,
  });
  if (!mask.data || !image.data) return null;
  const { file_name, width, height, thumbnail_url } = image.data;
  const shown = { ...mask.data, file_name, width, height, thumbnail_url, similarity: 1 } as FoundMask;
  return <FoundCard mask={shown} wanted />;
}

interface FoundCardProps {
  mask: FoundMask;
  wanted?: boolean;
  review?: boolean;
}

function FoundCard({ mask, wanted = false, review = false }: FoundCardProps) {
  const dataset = useDataset();
  const name = mask.category || "no category";
  return (
    <li className={wanted ? "card found__card found__card--wanted" : "card found__card"}>
      <Link to={`/images/${mask.image}?mask=${mask.id}`} aria-label={`Open ${mask.file_name} at this ${name}`}>
        <MaskCrop mask={mask} />
      </Link>
      <div className="found__text">
        <span className="row row--between row--tight">
          <b className="found__name">{name}</b>
          {wanted ? (
            <Badge tone="info">This one</Badge>
          ) : (
            <span className="mono small" title="Cosine similarity, -1 to 1">
              {mask.similarity.toFixed(3)}
            </span>
          )}
        </span>
        <span className="muted small found__name">{mask.file_name}</span>
        {!wanted && (
          <Link className="small" to={`/datasets/${dataset.id}/objects/alike?like=${mask.id}`}>
            More like this
          </Link>
        )}
        {review && mayReview(dataset) && <ReviewPictureButton mask={mask} />}
      </div>
    </li>
  );
}
