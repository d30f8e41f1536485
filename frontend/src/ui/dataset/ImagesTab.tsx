import { ImagePlus, ListChecks, Medal, Upload } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { ImageRecord } from "../../api/types";
import { counted } from "../kit/format";
import { Badge, Button, EmptyState, ErrorState, IconButton, type Tone } from "../kit/kit";
import { More, usePages } from "../kit/pages";
import { keysOf, useChange } from "../kit/useChange";
import { AddPictures } from "./AddPictures";
import { mayLead, useDataset } from "./DatasetPage";
import { droppedFiles, type PlacedFile } from "./droppedFiles";
import { USUAL_RATE } from "./FrameRate";
import { IntakeSettings } from "./IntakeSettings";
import { NO_RIGHTS, said } from "./RightsFields";
import { SelectionBar } from "./SelectionBar";
import { STAGE_NAMES, STAGES, stageTitle } from "./stageNames";
import { UploadList } from "./UploadList";
import { useUploads } from "./useUploads";

const STATES = [
  { value: "", label: "All" },
  { value: "open", label: "To label" },
  { value: "claimed", label: "In work" },
  { value: "submitted", label: "Done" },
  { value: "skipped", label: "Skipped" },
];

interface Chosen {
  readonly ids: ReadonlySet<number>;
  /** Every image of the dataset, whatever is shown. */
  readonly all: boolean;
}

const NONE: Chosen = { ids: new Set(), all: false };

function toggled(chosen: Chosen, id: number): Chosen {
  const ids = new Set(chosen.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ...chosen, ids };
}

export function ImagesTab() {
  const dataset = useDataset();
  const [state, setState] = useState("");
  const [stage, setStage] = useState("");
  const [over, setOver] = useState(false);
  const [chosen, choose] = useState<Chosen | null>(null);
  const [rights, setRights] = useState(NO_RIGHTS);
  const [rate, setRate] = useState(USUAL_RATE);
  const picker = useRef<HTMLInputElement>(null);
  const may = mayLead(dataset);
  const images = usePages({
    queryKey: ["images", dataset.id, state, stage],
    queryFn: (next) => api.images(dataset.id, { state, stage }, next),
    // While pictures are being prepared their badges should come and go by themselves.
    refetchInterval: (rows) => (rows.some((image) => image.readiness === "pending") ? 4000 : false),
  });
  const uploads = useUploads(dataset.id, may);
  const list = images.data ?? [];
  const pick = () => picker.current?.click();
  const add = (files: PlacedFile[]) => void uploads.queue.add(files, { ...said(rights), frames_per_second: rate });
  const drag = (event: DragEvent, inside: boolean) => {
    if (!may || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    setOver(inside);
  };
  const drop = (event: DragEvent) => {
    if (!may) return;
    event.preventDefault();
    setOver(false);
    void droppedFiles(event.dataTransfer).then(add);
  };
  return (
    <section
      className={over ? "drop drop--over" : "drop"}
      aria-label="Images"
      onDragOver={(event) => drag(event, true)}
      onDragLeave={(event) => {
        if (event.target === event.currentTarget) setOver(false);
      }}
      onDrop={drop}
    >
      <div className="row row--between toolbar">
        <div className="row">
          <fieldset className="row segmented" aria-label="Show">
            {STATES.map((one) => (
              <Button
                key={one.value}
                size="small"
                look="quiet"
                aria-pressed={state === one.value}
                onClick={() => setState(one.value)}
              >
                {one.label}
              </Button>
            ))}
          </fieldset>
          <select
            className="input input--small"
            aria-label="Stage of the images"
            value={stage}
            onChange={(event) => setStage(event.target.value)}
          >
            <option value="">Any stage</option>
            {STAGES.map((one) => (
              <option key={one} value={one}>
                {stageTitle(one)}
              </option>
            ))}
          </select>
        </div>
        {may && (
          <div className="row">
            <Button
              icon={ListChecks}
              look="quiet"
              aria-pressed={chosen !== null}
              onClick={() => choose(chosen ? null : NONE)}
            >
              Choose
            </Button>
            <AddPictures add={add} picker={picker} />
          </div>
        )}
      </div>
      {may && (
        <IntakeSettings
          rights={rights}
          change={setRights}
          rate={rate}
          changeRate={setRate}
          maxVideoFrames={uploads.maxVideoFrames}
        />
      )}
      <UploadList uploads={uploads} />
      {chosen && (
        <SelectionBar
          chosen={chosen.all ? [] : list.filter((image) => chosen.ids.has(image.id))}
          all={chosen.all}
          chooseAll={(all) => choose({ ...chosen, all })}
          leave={() => choose(null)}
        />
      )}
      {images.isLoadingError && <ErrorState error={images.error} retry={() => void images.refetch()} />}
      {images.isPending && <GridSkeleton />}
      {images.data?.length === 0 && (
        <Empty
          filtered={state !== "" || stage !== ""}
          may={may}
          pick={pick}
          clear={() => {
            setState("");
            setStage("");
          }}
        />
      )}
      <ul className="images">
        {list.map((image) => (
          <li key={image.id} className="image-cell">
            <ImageCard image={image} />
            {chosen && (
              <label className="image-cell__choose">
                <input
                  type="checkbox"
                  aria-label={`Choose ${image.file_name}`}
                  checked={chosen.all || chosen.ids.has(image.id)}
                  disabled={chosen.all}
                  onChange={() => choose(toggled(chosen, image.id))}
                />
              </label>
            )}
          </li>
        ))}
      </ul>
      <More list={images} onSight>
        Show more
      </More>
    </section>
  );
}

function Empty({
  filtered,
  may,
  pick,
  clear,
}: {
  filtered: boolean;
  may: boolean;
  pick: () => void;
  clear: () => void;
}) {
  if (filtered) {
    return (
      <EmptyState icon={ImagePlus} title="No images like this" action={<Button onClick={clear}>Show all</Button>} />
    );
  }
  return (
    <EmptyState
      icon={ImagePlus}
      title="No pictures yet"
      action={
        may && (
          <Button look="primary" icon={Upload} onClick={pick}>
            Add pictures
          </Button>
        )
      }
    >
      {may
        ? "Drop pictures, videos, folders or archives (zip, tar) anywhere here. Each is checked, turned upright and prepared for the model."
        : "A lead of this dataset can add some."}
    </EmptyState>
  );
}

const STATE_BADGES: Record<string, { label: string; tone?: Tone }> = {
  submitted: { label: "Done", tone: "good" },
  claimed: { label: "In work", tone: "info" },
  skipped: { label: "Skipped", tone: "warn" },
};

function ImageCard({ image }: { image: ImageRecord }) {
  const dataset = useDataset();
  return (
    <div className="image-cell">
      <ImageLink image={image} />
      {mayLead(dataset) && dataset.training_images > 0 && <GoldMark image={image} />}
    </div>
  );
}

/** New annotators are measured against the masks of gold pictures. */
function GoldMark({ image }: { image: ImageRecord }) {
  const mark = useChange(() => api.markGold(image.id, !image.gold), keysOf(image.dataset, "images", "dataset"));
  return (
    <IconButton
      icon={Medal}
      look={image.gold ? "primary" : undefined}
      size="small"
      className="image-cell__gold"
      label={image.gold ? `${image.file_name} is gold` : `Make ${image.file_name} gold`}
      aria-pressed={image.gold}
      disabled={mark.isPending}
      onClick={() => mark.mutate()}
    />
  );
}

function ImageLink({ image }: { image: ImageRecord }) {
  const badge = STATE_BADGES[image.task_state ?? ""];
  return (
    <Link to={`/images/${image.id}`} className="card image-card">
      <div className="image-card__picture">
        <img src={image.thumbnail_url} alt="" loading="lazy" decoding="async" />
        {image.overlay_url && <img src={image.overlay_url} alt="" loading="lazy" decoding="async" />}
        <span className="image-card__state">
          {badge && <Badge tone={badge.tone}>{badge.label}</Badge>}
          {image.stage !== "assisted" && (
            <Badge tone="accent" title={`The model's part of the ${STAGE_NAMES[image.stage]} stage is done`}>
              {image.stage === "semi_automatic" ? "Prefilled" : "Automatic"}
            </Badge>
          )}
          {image.readiness === "pending" && <Badge>Preparing</Badge>}
          {image.split === "held_out" && (
            <Badge title="Models are judged on this picture, never trained on it">Held out</Badge>
          )}
          {image.gold && <Badge tone="warn">Gold</Badge>}
          {image.frame_number !== null && (
            <Badge title="A frame of a video; its timeline is in the editor">{`Frame ${image.frame_number}`}</Badge>
          )}
          {image.readiness === "failed" && <Badge tone="bad">Model failed</Badge>}
        </span>
      </div>
      <div className="image-card__text">
        <span title={image.file_name}>{image.file_name}</span>
        <span className="muted">{image.mask_count ? counted(image.mask_count, "mask") : ""}</span>
      </div>
    </Link>
  );
}

function GridSkeleton() {
  return (
    <div className="images" role="status" aria-label="Loading images">
      {["a", "b", "c", "d", "e", "f"].map((key) => (
        <div key={key} className="card image-card">
          <div className="image-card__picture skeleton" />
          <div className="image-card__text">&nbsp;</div>
        </div>
      ))}
    </div>
  );
}
