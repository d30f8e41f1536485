import { request } from "./client";
import type { Frames, Job, MaskRecord, TrackRecord } from "./types";

export type Direction = "forward" | "backward" | "both";

/** The routes of videos and their tracks that the editor's timeline uses. */
export const videoApi = {
  /** Frames from a number on, and from which number the next page begins. */
  frames: (video: number, from: number) => request<Frames>(`/api/videos/${video}/frames/?from=${from}`),
  tracks: (video: number) => request<{ tracks: TrackRecord[] }>(`/api/videos/${video}/tracks/`),
  track: (id: string) => request<TrackRecord>(`/api/tracks/${id}/`),
  /** A track that begins with a mask; the same one when asked again. */
  beginTrack: (video: number, mask: string) =>
    request<TrackRecord>(`/api/videos/${video}/tracks/`, { method: "POST", body: { mask } }),
  renameTrack: (track: string, category: string) =>
    request<TrackRecord>(`/api/tracks/${track}/`, { method: "PATCH", body: { category } }),
  /** `proposed`: its proposed masks go into the bin; else they stay, without a track. */
  endTrack: (track: string, proposed: boolean) =>
    request<void>(`/api/tracks/${track}/?proposed=${proposed}`, { method: "DELETE" }),
  putToTrack: (track: string, mask: string) =>
    request<MaskRecord>(`/api/tracks/${track}/masks/${mask}/`, { method: "PUT" }),
  takeFromTrack: (track: string, mask: string) =>
    request<void>(`/api/tracks/${track}/masks/${mask}/`, { method: "DELETE" }),
  /** `frames`: how many at most; null up to the next accepted mask, else to the end. */
  propagate: (track: string, body: { image: number; direction: Direction; frames: number | null }) =>
    request<Job>(`/api/tracks/${track}/propagate/`, { method: "POST", body }),
};
