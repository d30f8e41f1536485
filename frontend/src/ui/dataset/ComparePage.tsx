import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Columns2 } from "lucide-react";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { ModelVersion, VersionComparison } from "../../api/types";
import { SelectField } from "../kit/fields";
import { ago, counted, short } from "../kit/format";
import { Bar, Button, EmptyState, ErrorState, Loading, Note } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { usePageTitle } from "../usePageTitle";
import { ComparedImages } from "./ComparedImages";
import { mayAnnotate, useDataset } from "./DatasetPage";

const MOST = 12;
const isOpen = (row: VersionComparison): boolean => row.finished_at === null && row.error_code === "";

/** Two versions on the same images: what a click and a box give on every accepted mask, and by hand. */
export function ComparePage() {
  const dataset = useDataset();
  const [search, setSearch] = useSearchParams();
  usePageTitle("Compare versions");
  const models = useQuery({ queryKey: ["models", dataset.id], queryFn: () => api.models(dataset.id) });
  const comparisons = useQuery({
    queryKey: ["comparisons", dataset.id],
    queryFn: () => api.comparisons(dataset.id),
    refetchInterval: (query) => (query.state.data?.some(isOpen) ? 1500 : false),
  });
  if (models.isPending || comparisons.isPending) return <Loading label="Loading the versions" />;
  if (models.isLoadingError) return <ErrorState error={models.error} retry={() => void models.refetch()} />;
  if (comparisons.isLoadingError)
    return <ErrorState error={comparisons.error} retry={() => void comparisons.refetch()} />;
  const shown = comparisons.data.find((row) => String(row.id) === search.get("show")) ?? comparisons.data[0];
  return (
    <div className="stack stack--large">
      <section className="stack stack--small" aria-labelledby="compare">
        <p className="small crumb">
          <Link to={`/datasets/${dataset.id}/model`}>Model</Link>
        </p>
        <h2 id="compare">Two versions side by side</h2>
        <p className="muted small prose">
          Both get the same prompts. A job asks them about every accepted mask of the images you choose; then you can
          click and draw boxes yourself. Images that a version learnt from favour it: held-out ones are fair.
        </p>
      </section>
      {models.data.length < 2 ? (
        <EmptyState icon={Columns2} title="Only one version so far">
          After the first retraining there are two to compare.
        </EmptyState>
      ) : (
        mayAnnotate(dataset) && (
          <Chooser versions={models.data} onStarted={(id) => setSearch({ show: String(id) }, { replace: true })} />
        )
      )}
      {comparisons.data.length > 1 && (
        <SelectField
          label="Comparisons"
          value={String(shown?.id)}
          onChange={(chosen) => setSearch({ show: chosen }, { replace: true })}
        >
          {comparisons.data.map((row) => (
            <option key={row.id} value={row.id}>
              {titleOf(row)}, {counted(row.images.length, "image")}, {ago(row.created_at)}
            </option>
          ))}
        </SelectField>
      )}
      {shown && <Outcome key={shown.id} row={shown} />}
    </div>
  );
}

const titleOf = (row: VersionComparison): string =>
  `${row.first_name} (${short(row.first)}) and ${row.second_name} (${short(row.second)})`;

function Outcome({ row }: { row: VersionComparison }) {
  return (
    <section className="stack" aria-label="Comparison">
      <h3>{titleOf(row)}</h3>
      {isOpen(row) && (
        <div className="stack stack--small">
          <Bar value={row.progress || null} label="Progress of the comparison" />
          <p className="muted small" role="status">
            {row.message}
          </p>
        </div>
      )}
      {row.error_code && <Note tone="bad">{row.message}</Note>}
      {row.result && <ComparedImages comparison={row} result={row.result} />}
    </section>
  );
}

interface ChooserProps {
  versions: readonly ModelVersion[];
  onStarted: (id: number) => void;
}

/** Which two versions, and on which images. */
function Chooser({ versions, onStarted }: ChooserProps) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const serving = versions.find((version) => version.serving) ?? versions[0];
  const [first, setFirst] = useState(serving?.digest ?? "");
  const [second, setSecond] = useState(versions.find((version) => version !== serving)?.digest ?? "");
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const start = useMutation({
    mutationFn: () => api.startComparison(dataset.id, { first, second, images: [...chosen] }),
    onSuccess: async (row) => {
      await queries.invalidateQueries({ queryKey: ["comparisons", dataset.id] });
      onStarted(row.id);
    },
  });
  const toggle = (image: number) => {
    const next = new Set(chosen);
    if (!next.delete(image)) next.add(image);
    setChosen(next);
  };
  return (
    <section className="card card--pad stack" aria-label="What to compare">
      <div className="fields">
        <VersionChoice label="First version" versions={versions} value={first} onChange={setFirst} />
        <VersionChoice label="Second version" versions={versions} value={second} onChange={setSecond} />
      </div>
      <ImageChoice chosen={chosen} toggle={toggle} />
      {start.isError && <Note tone="bad">{messageOf(start.error)}</Note>}
      <div className="row">
        <Button
          look="primary"
          icon={Columns2}
          busy={start.isPending}
          disabled={chosen.size === 0 || chosen.size > MOST || first === second}
          onClick={() => start.mutate()}
        >
          Compare on {counted(chosen.size, "image")}
        </Button>
        <span className="muted small">
          {first === second ? "Choose two different versions." : `${MOST} images at the most.`}
        </span>
      </div>
    </section>
  );
}

interface VersionChoiceProps {
  label: string;
  versions: readonly ModelVersion[];
  value: string;
  onChange: (digest: string) => void;
}

function VersionChoice({ label, versions, value, onChange }: VersionChoiceProps) {
  return (
    <SelectField label={label} value={value} onChange={onChange}>
      {versions.map((version) => (
        <option key={version.digest} value={version.digest}>
          {version.name} ({short(version.digest)}){version.serving ? ", serving" : ""}
        </option>
      ))}
    </SelectField>
  );
}

interface ImageChoiceProps {
  chosen: ReadonlySet<number>;
  toggle: (image: number) => void;
}

const SPLITS = { train: "training", validation: "validation", held_out: "held out" };

function ImageChoice({ chosen, toggle }: ImageChoiceProps) {
  const dataset = useDataset();
  const images = usePages({
    queryKey: ["compare-images", dataset.id],
    queryFn: (next) => api.images(dataset.id, {}, next),
  });
  return (
    <fieldset className="group">
      <legend>Images</legend>
      <Paged
        list={images}
        loading="Loading the images"
        empty={<p className="muted">No images yet.</p>}
        more="Show more images"
      >
        {(list) => (
          <ul className="pick">
            {list.map((image) => (
              <li key={image.id} className="pick__one">
                <label>
                  <img src={image.thumbnail_url} alt="" loading="lazy" />
                  <span className="row row--tight small">
                    <input type="checkbox" checked={chosen.has(image.id)} onChange={() => toggle(image.id)} />
                    <span className="found__name">{image.file_name}</span>
                  </span>
                  <span className="muted small">
                    {counted(image.mask_count, "mask")}, {SPLITS[image.split]}
                  </span>
                </label>
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </fieldset>
  );
}
