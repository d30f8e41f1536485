import { Film } from "lucide-react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { VideoRecord } from "../../api/types";
import { ago, count, counted, duration } from "../kit/format";
import { Badge, Bar, buttonClass, EmptyState } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { RemoveButton } from "../kit/RemoveButton";
import { keysOf, useChange } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";

/** Videos of the dataset: what has arrived of each, and the way into the editor. */
export function VideosTab() {
  const dataset = useDataset();
  const videos = usePages({
    queryKey: ["videos", dataset.id],
    queryFn: (next) => api.videos(dataset.id, next),
    refetchInterval: (rows) => (rows.some((video) => !video.complete) ? 2000 : false),
  });
  const empty = (
    <EmptyState
      icon={Film}
      title="No videos yet"
      action={
        mayLead(dataset) && (
          <Link className={buttonClass("primary")} to="..">
            Add one with the pictures
          </Link>
        )
      }
    >
      A video (MP4, MOV, WebM, MKV or AVI) that is added like a picture becomes frames, in which objects are followed.
    </EmptyState>
  );
  return (
    <section className="stack" aria-label="Videos">
      <Paged list={videos} loading="Loading the videos" empty={empty} more="Show more videos">
        {(rows) => (
          <ul className="videos">
            {rows.map((video) => (
              <VideoCard key={video.id} video={video} />
            ))}
          </ul>
        )}
      </Paged>
    </section>
  );
}

function VideoCard({ video }: { video: VideoRecord }) {
  const dataset = useDataset();
  const remove = useChange(
    () => api.removeVideo(video.id),
    keysOf(dataset.id, "videos", "images", "dataset"),
    `${video.file_name} was deleted`,
  );
  return (
    <li className="card video">
      <Picture video={video} />
      <div className="video__text">
        <div className="row row--between video__head">
          <b className="video__name" title={video.file_name}>
            {video.first_image === null ? (
              video.file_name
            ) : (
              <Link to={`/images/${video.first_image}`}>{video.file_name}</Link>
            )}
          </b>
          {mayLead(dataset) && (
            <RemoveButton
              label={`Delete ${video.file_name}`}
              verb="Delete"
              disabled={remove.isPending}
              onRemove={() => remove.mutate()}
            >
              {`Its ${counted(video.frames, "frame")} go with it, and all masks on them. Nothing brings them back.`}
            </RemoveButton>
          )}
        </div>
        <p className="muted small">
          {[
            duration(video.duration),
            `${video.width} × ${video.height}`,
            `${counted(video.frames, "frame")}, ${rate(video.sampling_rate)}`,
            ago(video.created_at),
          ].join(" · ")}
        </p>
        {!video.complete && <Arriving video={video} />}
        <div className="row">{video.tracks > 0 && <Badge tone="info">{counted(video.tracks, "track")}</Badge>}</div>
      </div>
    </li>
  );
}

function Picture({ video }: { video: VideoRecord }) {
  if (video.first_image === null || video.thumbnail_url === null) {
    return <div className="video__picture skeleton" />;
  }
  return (
    <Link
      className="video__picture"
      to={`/images/${video.first_image}`}
      aria-label={`Open ${video.file_name} in the editor`}
    >
      <img src={video.thumbnail_url} alt="" loading="lazy" decoding="async" />
    </Link>
  );
}

function Arriving({ video }: { video: VideoRecord }) {
  const share = video.frame_count ? Math.min(1, video.frames / video.frame_count) : null;
  return (
    <>
      <Bar value={share} label={`${video.file_name}: frames that have arrived`} />
      <p className="small">
        {`About ${count(Math.max(0, video.frame_count - video.frames))} to come. If they stop coming, add the same file `}
        again: it goes on from here.
      </p>
    </>
  );
}

/** "5 a second", "one in 5 s". */
function rate(perSecond: number): string {
  if (perSecond >= 1) return `${Number(perSecond.toFixed(2))} a second`;
  return `one in ${Number((1 / perSecond).toFixed(1))} s`;
}
