import type { Stage } from "../../api/types";

export const STAGES: readonly Stage[] = ["assisted", "semi_automatic", "fully_automatic"];

export const STAGE_NAMES: Record<Stage, string> = {
  assisted: "assisted",
  semi_automatic: "semi-automatic",
  fully_automatic: "fully automatic",
};

/** "Semi-automatic", for the beginning of a sentence. */
export const stageTitle = (stage: Stage): string => {
  const name = STAGE_NAMES[stage];
  return name[0]?.toUpperCase() + name.slice(1);
};
