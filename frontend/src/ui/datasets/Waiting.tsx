import { useQuery } from "@tanstack/react-query";
import { ArrowRight, ClipboardCheck, type LucideIcon, ShieldCheck, Undo2 } from "lucide-react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import { counted } from "../kit/format";
import { buttonClass } from "../kit/kit";

/** What waits for this person beside labelling: what came back, what is to be reviewed, what is audited. */
export function Waiting() {
  const waiting = useQuery({ queryKey: ["waiting"], queryFn: api.waiting, refetchInterval: 30_000 });
  const rows = waiting.data ?? [];
  if (rows.length === 0) return null;
  return (
    <section className="stack stack--small waiting" aria-labelledby="waiting">
      <h2 id="waiting">Waiting for you</h2>
      <ul className="card plain-list">
        {rows.map((row) => {
          const label = `/datasets/${row.dataset}/label`;
          return [
            <Line
              key={`r${row.dataset}`}
              icon={Undo2}
              count={row.returned}
              what="came back from review"
              name={row.name}
              to={label}
              go="Correct"
            />,
            <Line
              key={`v${row.dataset}`}
              icon={ClipboardCheck}
              count={row.reviews}
              what="to review"
              name={row.name}
              to={`${label}?work=review`}
              go="Review"
            />,
            <Line
              key={`a${row.dataset}`}
              icon={ShieldCheck}
              count={row.audits}
              what="to audit"
              name={row.name}
              to={`${label}?work=audit`}
              go="Audit"
            />,
          ];
        })}
      </ul>
    </section>
  );
}

interface LineProps {
  icon: LucideIcon;
  count: number;
  what: string;
  name: string;
  to: string;
  go: string;
}

function Line({ icon: Icon, count, what, name, to, go }: LineProps) {
  if (count === 0) return null;
  return (
    <li className="row plain-list__item">
      <Icon size={18} aria-hidden />
      <span className="grow">
        <b>{counted(count, "picture")}</b> {what}
        <br />
        <span className="muted small">{name}</span>
      </span>
      <Link className={buttonClass("primary", "small")} to={to} aria-label={`${go} in ${name}`}>
        {go}
        <ArrowRight size={16} aria-hidden />
      </Link>
    </li>
  );
}
