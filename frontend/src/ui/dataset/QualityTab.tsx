import { AuditSection } from "./AuditSection";

/** How good the masks are, as people found out. */
export function QualityTab() {
  return (
    <div className="stack stack--large">
      <AuditSection />
    </div>
  );
}
