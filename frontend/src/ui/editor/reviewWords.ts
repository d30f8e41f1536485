import type { ReviewItem, ReviewReason } from "../../api/types";
import type { Tone } from "../kit/kit";

/** What can be wrong with a mask: the error taxonomy of the SAM paper's rating guidelines, and the missing mask. */
export const REASONS: Record<ReviewReason, string> = {
  other_object: "Holds a piece of another object",
  missing_part: "A part is missing",
  combined: "Unrelated things in one mask",
  arbitrary: "An arbitrary part of a collection",
  holes: "Holes are wrong",
  stray: "Stray pixels",
  edge: "Poor edge",
  occlusion: "What lies in front is treated unevenly",
  no_object: "Shows no object",
  missing_object: "An object has no mask",
};

export const VERDICTS: Record<Exclude<ReviewItem["verdict"], "">, { label: string; tone: Tone }> = {
  accepted: { label: "accepted", tone: "good" },
  corrected: { label: "corrected", tone: "info" },
  deleted: { label: "deleted", tone: "warn" },
  returned: { label: "returned", tone: "warn" },
};

export const reasonText = (reason: ReviewItem["reason"]): string => (reason === "" ? "" : REASONS[reason]);
