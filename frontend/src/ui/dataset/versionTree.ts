import type { ModelVersion } from "../../api/types";

export interface Branch {
  version: ModelVersion;
  /** Trained from it, oldest first. */
  children: Branch[];
}

/** Versions below what they were trained from; one whose parent this dataset does not know begins a family. */
export function familyOf(versions: readonly ModelVersion[]): Branch[] {
  const branches = new Map(versions.map((version) => [version.digest, { version, children: [] as Branch[] }]));
  const roots: Branch[] = [];
  for (const branch of [...branches.values()].toReversed()) {
    const parent = branch.version.parent && branches.get(branch.version.parent);
    if (parent && parent !== branch) parent.children.push(branch);
    else roots.push(branch);
  }
  return roots;
}
