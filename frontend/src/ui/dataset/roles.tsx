import type { Role } from "../../api/types";

/** The roles of a dataset, each of which may do what those after it may. */
export const ROLES: { id: Role; may: string }[] = [
  { id: "lead", may: "everything: people, pictures, retraining, imports" },
  { id: "reviewer", may: "label, review the work of annotators, export" },
  { id: "annotator", may: "label pictures" },
  { id: "viewer", may: "look" },
];

/** The roles as the options of a select. */
export function RoleOptions() {
  return ROLES.map((role) => <option key={role.id}>{role.id}</option>);
}
